/**
 * What every {@link ArchiveStore} promises, against the real thing.
 *
 * @module
 */
import assert from "node:assert/strict";
import type {
  ArchiveStore,
  KeptMessage,
  KeptSlot,
  SlotUpdate,
} from "../../../relay/archives/archive_store.ts";
import { encodeOutline, restore } from "../../../relay/archives/outline.ts";
import { encodeMessage } from "../../../relay/protocol/codec.ts";
import type { Message, Origin, Seq, Vector } from "../../../relay/protocol/message.ts";
import { slotOf } from "../../../relay/protocol/slot.ts";
import { A, B, C, newLog } from "../../support/slot_log.ts";

/** Opens the same place each time. */
export type OpenPlace = () => ArchiveStore;

/** The slot of channel `a`, and of `{a}b`. */
export const SLOT = slotOf("a");

export function messageOf(origin: Origin, seq: Seq, channel = "a"): Message {
  return { slot: SLOT, origin, seq, channel, data: `${origin}.${seq}`, timeMs: 0, region: "r" };
}

function kept(origin: Origin, seq: Seq, channel = "a"): KeptMessage {
  const bytes = encodeMessage(messageOf(origin, seq, channel));
  return { origin, seq, channel, atMs: 1000 * seq, bytes };
}

function update(messages: readonly KeptMessage[], more: Partial<SlotUpdate> = {}): SlotUpdate {
  const vector = new Map(messages.map(({ origin, seq }) => [origin, seq]));
  return { slot: SLOT, base: new Map(), messages, vector, forgotten: [], ...more };
}

/** An outline that says what has been dropped. */
function outline(floors: ReadonlyMap<string, Vector>, end: Vector = new Map()) {
  const log = newLog().outline(0);
  return { bytes: encodeOutline({ ...log, slot: SLOT, floors, end }), floors };
}

async function all(store: ArchiveStore): Promise<KeptSlot[]> {
  return await Array.fromAsync(store.slots());
}

/** The ids of what is kept of {@link SLOT}, in order, when the place is opened again. */
async function reopened(open: OpenPlace): Promise<string[]> {
  const store = open();
  try {
    await store.open();
    const [slot] = await all(store);
    const { messages } = slot ? restore(slot, 0, 0) : { messages: [] };
    return messages.map(({ message: { origin, seq } }) => `${origin[5]}${seq}`);
  } finally {
    await store.close();
  }
}

/** Runs the suite; `place` makes a place that is empty, and `test` registers a test. */
export function testArchiveStore(
  test: (name: string, body: () => Promise<void>) => void,
  place: () => Promise<AsyncDisposable & { readonly open: OpenPlace }>,
): void {
  const withStore = (name: string, body: (store: ArchiveStore, open: OpenPlace) => Promise<void>) =>
    test(name, async () => {
      await using at = await place();
      const store = at.open();
      try {
        await store.open();
        await body(store, at.open);
      } finally {
        await store.close();
      }
    });

  withStore(
    "what was written is there when it is opened again, in its order",
    async (store, open) => {
      assert.deepEqual(await all(store), []);
      const written = update([kept(A, 1), kept(B, 1), kept(A, 2)]);
      assert.deepEqual(await store.write([written], 5000), [new Map([[A, 2], [B, 1]])]);
      const standings = await store.standings([SLOT, 1]);
      assert.deepEqual(standings, [{ vector: new Map([[A, 2], [B, 1]]) }, { vector: new Map() }]);
      await store.close();
      const again = open();
      const { writtenMs } = await again.open();
      const [slot, ...others] = await all(again);
      await again.close();
      assert.equal(writtenMs, 5000);
      assert.deepEqual(others, []);
      assert.ok(slot);
      const { messages, end } = restore(slot, 5000, 0);
      assert.deepEqual(messages.map(({ message }) => message), [
        messageOf(A, 1),
        messageOf(B, 1),
        messageOf(A, 2),
      ]);
      assert.deepEqual(messages.map(({ ageMs }) => ageMs), [4000, 4000, 3000]);
      assert.deepEqual(end, new Map([[A, 2], [B, 1]]));
    },
  );

  withStore("what is there already is passed over", async (store, open) => {
    await store.write([update([kept(A, 1), kept(A, 2)])], 0);
    await store.write([update([kept(A, 1), kept(A, 2), kept(A, 3)])], 0);
    await store.close();
    assert.deepEqual(await reopened(open), ["A1", "A2", "A3"]);
  });

  withStore("what was lost and comes after all is kept", async (store, open) => {
    await store.write([update([kept(A, 1), kept(A, 3)])], 0);
    const base = new Map([[A, 3]]);
    await store.write([update([kept(A, 2)], { base })], 0);
    await store.close();
    assert.deepEqual((await reopened(open)).toSorted(), ["A1", "A2", "A3"]);
  });

  withStore(
    "who believes that more is there than is writes nothing, and is told",
    async (store) => {
      await store.write([update([kept(A, 1)])], 0);
      const ahead = update([kept(A, 6)], { base: new Map([[A, 5]]) });
      assert.deepEqual(await store.write([ahead], 0), [new Map([[A, 1]])]);
    },
  );

  withStore("what the floors have passed goes, by channel", async (store, open) => {
    const messages = [kept(A, 1), kept(A, 2, "{a}b"), kept(A, 3, "{a}c"), kept(B, 1), kept(A, 4)];
    await store.write([update(messages)], 0);
    const floors = new Map([["", new Map([[A, 3]])], ["a", new Map([[A, 1]])], [
      "{a}c",
      new Map(),
    ]]);
    await store.write([update([kept(A, 5)], { outline: outline(floors) })], 0);
    await store.close();
    assert.deepEqual(await reopened(open), ["A3", "B1", "A4", "A5"]);
  });

  withStore("what goes behind something old that stays goes too, in time", async (store, open) => {
    await store.write([update([kept(B, 1, "{a}b")])], 0);
    for (let seq = 1; seq <= 1000; seq += 10) {
      const messages = Array.from({ length: 10 }, (_, n) => kept(A, seq + n));
      const floors = new Map([["a", new Map([[A, seq - 1]])], ["{a}b", new Map()]]);
      await store.write([update(messages, { outline: outline(floors) })], 0);
    }
    await store.close();
    const left = await reopened(open);
    assert.deepEqual([left[0], left.at(-1)], ["B1", "A1000"]);
    assert.ok(left.length <= 200, `${left.length}`);
  });

  withStore("an outline takes the place of the one before, and is kept", async (store, open) => {
    const floors = new Map([["a", new Map([[B, 9]])]]);
    await store.write([update([], { outline: outline(new Map()), vector: new Map([[B, 9]]) })], 0);
    await store.write([update([], { outline: outline(floors, new Map([[B, 9]])) })], 0);
    await store.close();
    const again = open();
    await again.open();
    const [slot] = await all(again);
    await again.close();
    assert.ok(slot);
    assert.deepEqual(restore(slot, 0, 0).floors, floors);
  });

  withStore("a slot whose origins are all forgotten is gone", async (store, open) => {
    await store.write([update([kept(A, 1), kept(B, 1)], { outline: outline(new Map()) })], 0);
    const floors = new Map([["", new Map([[A, 1], [B, 1]])]]);
    await store.write([update([], { outline: outline(floors), forgotten: [A] })], 0);
    const [standing] = await store.standings([SLOT]);
    assert.deepEqual(standing?.vector, new Map([[B, 1]]));
    await store.write([update([], { forgotten: [B] })], 0);
    await store.close();
    const again = open();
    await again.open();
    const slots = await all(again);
    await again.close();
    assert.ok(
      slots.every(({ vector, messages, outline }) =>
        vector.size === 0 && messages.length === 0 && outline === undefined
      ),
    );
  });

  withStore("origins are remembered as long as they are asked to be", async (store, open) => {
    await store.remember(new Map([[A, 1000], [B, 2000]]), 0, 3000, 0);
    await store.remember(new Map([[A, 4000], [C, 5000]]), 3000, 6000, 1500);
    await store.close();
    const again = open();
    const opening = await again.open();
    await again.close();
    assert.deepEqual(opening.heardMs, new Map([[A, 4000], [C, 5000]]));
    assert.equal(opening.writtenMs, 6000);
    assert.equal(opening.keptMs, 4500);
  });

  withStore("many slots are written and read at once", async (store, open) => {
    const slots = Array.from({ length: 300 }, (_, n) => n);
    const vector = new Map([[A, 1]]);
    const updates = slots.map((slot) => ({ ...update([kept(A, 1)]), slot }));
    assert.deepEqual(await store.write(updates, 0), slots.map(() => vector));
    await store.close();
    const again = open();
    await again.open();
    const read = await all(again);
    await again.close();
    assert.deepEqual(read.map(({ slot }) => slot).sort((a, b) => a - b), slots);
    assert.ok(read.every(({ messages }) => messages.length === 1));
  });
}
