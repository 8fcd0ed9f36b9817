import assert from "node:assert/strict";
import { ArchiveCopies, type Scope } from "../../relay/archive_copies.ts";
import { restore } from "../../relay/archives/outline.ts";
import { Logs } from "../../relay/logs.ts";
import { type LogOptions, SlotLog } from "../../relay/protocol/log/log.ts";
import type { Message, Origin, Seq, Vector } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";
import type { StreamEvent } from "../../relay/protocol/upstream.ts";
import { ArchivePlace, MemoryArchive } from "../support/memory_archive.ts";
import { seededRandom } from "../support/random.ts";
import { A, B, C, HOLD_MS, LOG_OPTIONS } from "../support/slot_log.ts";
import { seeds } from "../support/soak.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SLOT = slotOf("a"), CHANNELS = ["a", "{a}b", "{a}c"], ORIGINS = [A, B, C];
const OPTIONS: LogOptions = {
  ...LOG_OPTIONS,
  self: A,
  maxCount: 4,
  maxAgeMs: 60_000,
  known: () => true,
};

const WHOLE: Scope = {
  whole: true,
  writes: () => true,
  follows: () => false,
  owns: () => false,
  forgets: () => true,
};

/** What a relay writes to a shared store at once. */
const OWN: Scope = {
  whole: false,
  writes: (origin) => origin === A,
  follows: () => false,
  owns: (origin) => origin === A,
  forgets: () => false,
};

/** A relay with an archive. */
class World {
  readonly clock = new VirtualClock();
  readonly logs = new Logs({ clock: this.clock, log: OPTIONS, maxBytes: 1e9 });
  readonly place = new ArchivePlace();
  readonly #store = new MemoryArchive(this.place);
  readonly #copies = new ArchiveCopies(this.logs);

  /** Writes what is lacking, but not much more than `messages`. */
  readonly write = async (messages = Infinity, scope = WHOLE): Promise<void> => {
    const room = { messages, bytes: Infinity };
    const lost = this.logs.peek(SLOT)?.lost() ?? [];
    const time = { nowMs: this.clock.nowMs(), keptMs: this.clock.nowMs() };
    const { update } = this.#copies.update(SLOT, scope, room, time);
    const [vector] = await this.#store.write([update], time.keptMs);
    assert.ok(vector);
    this.#copies.stands(SLOT, vector, update.outline ? lost : undefined);
  };

  /** The log of a relay that goes on from the archive. */
  async restored(): Promise<SlotLog> {
    const log = new SlotLog(SLOT, { ...OPTIONS, self: "relayNEW" });
    for await (const slot of this.#store.slots()) {
      assert.equal(log.merge(restore(slot, this.clock.nowMs(), 0), 0), true);
    }
    return log;
  }
}

/** What a reader of a channel gets from a cursor on: the ids, in any order, and whether it was told of a gap. */
function read(log: SlotLog, channel: string, cursor: Vector, nowMs: number) {
  const ids: string[] = [];
  let gap = false;
  const sink = (event: StreamEvent) => {
    if (event.type === "gap") gap = true;
    else if (event.type === "message") ids.push(`${event.message.origin}.${event.message.seq}`);
    return true;
  };
  const reader = log.open([channel], cursor, nowMs, { sink });
  reader.resume();
  reader.close();
  return { ids: ids.sort(), gap };
}

function message(origin: Origin, seq: Seq, channel: string): Message {
  return { slot: SLOT, origin, seq, channel, data: "x", timeMs: 0, region: "r" };
}

/** Whatever may happen to a log and its copy; answers all messages that were appended, and places that cursors may name. */
async function live(
  { logs, clock, write }: World,
  random: () => number,
  scopes: readonly Scope[],
) {
  const pick = <T>(of: readonly T[]) => of[Math.floor(random() * of.length)]!;
  const seqs = new Map<Origin, Seq>(), late: Message[] = [], appended: Message[] = [];
  const cursors: Vector[] = [new Map()];
  const append = (message: Message) => {
    appended.push(message);
    logs.append(message);
  };
  for (let step = 0; step < 60; step++) {
    const origin = pick(ORIGINS), seq = (seqs.get(origin) ?? 0) + 1, dice = random();
    const next = message(origin, seq, pick(CHANNELS));
    if (dice < 0.75) seqs.set(origin, seq);
    // What it publishes itself a relay never lacks.
    if (dice < (origin === A ? 0.75 : 0.6)) append(next);
    else if (dice < 0.75) late.push(next);
    else if (dice < 0.85) late.splice(0, 1).forEach(append);
    else if (dice < 0.9) clock.advance(random() * 30_000);
    else if (dice < 0.95) await write(random() < 0.5 ? 1 : Infinity, pick(scopes));
    else cursors.push(new Map(logs.vectorOf(SLOT)));
  }
  return { appended, cursors };
}

Deno.test("a log that goes on from its copy answers every cursor as the log does", async () => {
  for (const seed of seeds(300, 10_000)) {
    const world = new World(), { logs, clock } = world;
    const { cursors } = await live(world, seededRandom(seed), [WHOLE]);
    // What still waits is not archived.
    clock.advance(HOLD_MS);
    await world.write();
    const log = logs.of(SLOT), restored = await world.restored();
    const { floors } = log.outline(0);
    assert.deepEqual(positions(restored.vector), positions(log.vector), `seed ${seed}`);
    for (const channel of CHANNELS) {
      for (const cursor of cursors) {
        const from = read(log, channel, cursor, clock.nowMs());
        const got = read(restored, channel, cursor, 0);
        const about = `seed ${seed}, ${channel} after ${JSON.stringify([...cursor])}`;
        assert.equal(got.gap, from.gap, about);
        // What a floor has passed while it is still in the log is announced as missing by either.
        assert.deepEqual(got.ids, from.ids.filter((id) => isAbove(id, floors.get(channel))), about);
      }
    }
    logs.close();
  }
});

Deno.test("a copy that ends anywhere says that there is a gap where it lacks something", async () => {
  for (const seed of seeds(300, 10_000)) {
    const world = new World();
    const { cursors, appended } = await live(world, seededRandom(seed), [WHOLE, OWN]);
    const restored = await world.restored(), { vector } = restored;
    for (const channel of CHANNELS) {
      for (const cursor of cursors) {
        const { ids, gap } = read(restored, channel, cursor, 0);
        const due = appended.filter((message) =>
          message.channel === channel && message.seq <= (vector.get(message.origin) ?? 0) &&
          message.seq > (cursor.get(message.origin) ?? 0)
        ).map(({ origin, seq }) => `${origin}.${seq}`);
        assert.ok(gap || due.every((id) => ids.includes(id)), `seed ${seed}, ${channel}: ${due}`);
      }
    }
    world.logs.close();
  }
});

function isAbove(id: string, floor: Vector | undefined): boolean {
  const [origin = "", seq] = id.split(".");
  return Number(seq) > (floor?.get(origin) ?? 0);
}

function positions(vector: Vector): Vector {
  return new Map([...vector].filter(([, seq]) => seq > 0).sort());
}
