/**
 * Staleness: whether this relay can tell that it has everything of a group. It cannot while no ready custodian is in view,
 * and while a relay that was there cannot be reached: behind a cut it may go on publishing. After 3 s of that readers are
 * told `stale`, and `fresh` once what was missed has been fetched (DESIGN "Staleness").
 *
 * @module
 */
import type { Unreachable } from "./missing.ts";

/** How long nobody needs to be told: with what it takes to notice, it keeps silence under 5 s. */
const STALE_MS = 3000;

/** After this a majority takes those whom nobody reaches for dead: a host that lost power refuses no connection. */
const GIVE_UP_MS = 60_000;

/** What has not come so long after a group was entered is not about to. */
const JOIN_MS = 30_000;

/** What this relay sees. */
export interface Sight {
  /** How many other relays are in view. */
  readonly inView: number;
  /** Those that vanished without a goodbye and do not answer, or that do not hear this relay. */
  readonly unreachable: readonly Unreachable[];
  /** Whether a ready custodian of the group is in view, or is this relay. */
  readonly hasCustodian: (group: number) => boolean;
}

/** What readers of a group are to be told. Of each group the two alternate. */
export interface StalenessOutput {
  readonly type: "stale" | "fresh";
  readonly group: number;
}

interface State {
  /** Since when it has been uncovered; undefined: it is covered. */
  uncoveredMs: number | undefined;
  /** Since when it has been covered again. */
  coveredMs: number;
  stale: boolean;
  /** Until when what it missed counts as on its way; 0: it has come. */
  joiningUntilMs: number;
}

/** The groups that one relay hears. */
export class Staleness {
  readonly #groups = new Map<number, State>();
  readonly #outputs: StalenessOutput[] = [];

  /** The groups whose readers have been told `stale`. */
  get staleGroups(): readonly number[] {
    return [...this.#groups].filter(([, { stale }]) => stale).map(([group]) => group);
  }

  /** The groups that are covered again: {@link Staleness.handleSynced} makes them fresh. */
  get unsynced(): readonly number[] {
    const waiting = [...this.#groups].filter(([, { stale, uncoveredMs }]) =>
      stale && uncoveredMs === undefined
    );
    return waiting.map(([group]) => group);
  }

  /** Undefined: it is not heard, or still being entered. */
  isStale(group: number): boolean | undefined {
    return this.#groups.get(group)?.stale;
  }

  /** A group is heard from now on. Not everybody in view could be asked for what was missed: its readers are told so. */
  handleEntered(group: number, synced: boolean, nowMs: number): void {
    if (this.#groups.has(group)) return;
    const joiningUntilMs = synced ? 0 : nowMs + JOIN_MS;
    const state = { uncoveredMs: undefined, coveredMs: nowMs, stale: false, joiningUntilMs };
    this.#groups.set(group, state);
    if (!synced) this.#tell(group, state, true);
  }

  /** Whether what a group missed that is heard now is still on its way; also before {@link Staleness.handleEntered}. */
  isJoining(group: number, nowMs: number): boolean {
    const { joiningUntilMs = Infinity } = this.#groups.get(group) ?? {};
    return nowMs < joiningUntilMs;
  }

  /** It is not heard any more, and has no readers. */
  handleLeft(group: number): void {
    this.#groups.delete(group);
  }

  /** What this relay sees now. To be called a few times a second, changed or not. */
  handleSight(sight: Sight, nowMs: number): void {
    const lostMs = silentSinceMs(sight, nowMs);
    for (const [group, state] of this.#groups) {
      if (lostMs === undefined && sight.hasCustodian(group)) {
        if (state.uncoveredMs !== undefined) state.coveredMs = nowMs;
        state.uncoveredMs = undefined;
        continue;
      }
      state.uncoveredMs = Math.min(state.uncoveredMs ?? nowMs, lostMs ?? nowMs);
      if (nowMs - state.uncoveredMs >= STALE_MS) this.#tell(group, state, true);
    }
  }

  /** What it missed before it was heard has come, and may wait in the log. */
  handleFetched(group: number): void {
    const state = this.#groups.get(group);
    if (state) state.joiningUntilMs = 0;
  }

  /** This relay has got whatever it lacked of what any relay in view held of a group at `begunMs` or later. */
  handleSynced(group: number, begunMs: number): void {
    const state = this.#groups.get(group);
    if (!state || state.uncoveredMs !== undefined || begunMs < state.coveredMs) return;
    this.handleFetched(group);
    this.#tell(group, state, false);
  }

  /** Whom to tell what next, oldest first. */
  pollOutput(): StalenessOutput | undefined {
    return this.#outputs.shift();
  }

  #tell(group: number, state: State, stale: boolean): void {
    if (state.stale === stale) return;
    state.stale = stale;
    this.#outputs.push({ type: stale ? "stale" : "fresh", group });
  }
}

/** When a relay was last heard that may still be publishing; undefined if there is none. */
function silentSinceMs({ inView, unreachable }: Sight, nowMs: number): number | undefined {
  const here = 1 + inView;
  const isMajority = 2 * here > here + unreachable.length;
  const missed = unreachable.filter(({ heardMs }) => !isMajority || nowMs - heardMs < GIVE_UP_MS);
  if (missed.length === 0) return undefined;
  return Math.min(...missed.map(({ heardMs }) => heardMs));
}
