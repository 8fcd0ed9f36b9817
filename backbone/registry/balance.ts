/**
 * Which slots to move so that no group carries much more than the others.
 *
 * @module
 */
import type { Group } from "../backbone.ts";
import type { SlotGroups } from "./slot_groups.ts";

/** A group below this many messages per second is nobody's trouble, however idle the others are. */
const LEAST_LOAD = 200;

/** What is this close to the mean is even enough: every move makes relays join groups and fetch logs. */
const UNEVEN = 1.25;

/** A slot that takes less than this part off its group is not worth moving. */
const LEAST_GAIN = 1 / 1024;

/** Slots moved at once. */
const MOST_MOVES = 64;

interface Move {
  readonly slot: number;
  readonly load: number;
}

/**
 * Moves from the fullest group to the emptiest, slot by slot, while that helps.
 *
 * @param count how many groups there are.
 * @param load messages per second by slot, of the whole cluster.
 */
export function planMoves(
  groups: SlotGroups,
  count: number,
  load: ReadonlyMap<number, number>,
): ReadonlyMap<number, Group> {
  const moves = new Map<number, Group>();
  const groupOf = (slot: number) => moves.get(slot) ?? groups.groupOf(slot);
  const sums = Array.from({ length: count }, () => 0);
  for (const [slot, messages] of load) add(sums, groupOf(slot), messages);
  const mean = sums.reduce((a, b) => a + b, 0) / count;
  while (moves.size < MOST_MOVES) {
    const fullest = indexOf(sums, Math.max), emptiest = indexOf(sums, Math.min);
    const most = sums[fullest] ?? 0, least = sums[emptiest] ?? 0;
    if (most < LEAST_LOAD || most < mean * UNEVEN) break;
    const inside = [...load].filter(([slot]) => groupOf(slot) === fullest + 1);
    const best = bestMove(inside, most, least);
    if (!best) break;
    moves.set(best.slot, emptiest + 1);
    add(sums, fullest + 1, -best.load);
    add(sums, emptiest + 1, best.load);
  }
  return moves;
}

/** The slot that leaves the fuller of the two groups least full. */
function bestMove(
  inside: readonly (readonly [number, number])[],
  most: number,
  least: number,
): Move | undefined {
  let best: Move | undefined, bestPeak = most * (1 - LEAST_GAIN);
  for (const [slot, load] of inside) {
    const peak = Math.max(most - load, least + load);
    if (peak < bestPeak) {
      best = { slot, load };
      bestPeak = peak;
    }
  }
  return best;
}

function add(sums: number[], group: Group, messages: number): void {
  sums[group - 1] = (sums[group - 1] ?? 0) + messages;
}

function indexOf(sums: readonly number[], pick: (...sums: number[]) => number): number {
  return sums.indexOf(pick(...sums));
}
