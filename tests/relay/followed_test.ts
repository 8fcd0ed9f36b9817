import assert from "node:assert/strict";
import { Followed } from "../../relay/followed.ts";
import { Logs } from "../../relay/logs.ts";
import { A, B, LOG_OPTIONS, message, SLOT } from "../support/slot_log.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const SELF = LOG_OPTIONS.self;

/** Has 1 of B, which is gone; A lives. */
function setUp() {
  const logs = new Logs({ clock: new VirtualClock(), log: LOG_OPTIONS, maxBytes: 1_000_000 });
  logs.append(message(B, 1));
  const pulls: PromiseWithResolvers<boolean>[] = [];
  const followed = new Followed({
    ...{ origin: SELF, logs },
    pull: () => {
      const pull = Promise.withResolvers<boolean>();
      pulls.push(pull);
      return pull.promise;
    },
    lives: (origin) => origin === A,
  });
  return { followed, logs, pulls };
}

Deno.test("what no relay has is looked for once; of one that lives it may come", async () => {
  const { followed, pulls } = setUp(), stated = new Map([[A, 2], [B, 5]]);
  const looked = followed.look(SLOT, stated);
  pulls[0]?.resolve(true);
  assert.equal(await looked, true);
  assert.equal(followed.isAhead(SLOT, new Map([[B, 5]])), false);
  assert.equal(followed.isAhead(SLOT, new Map([[A, 2]])), true);
  assert.deepEqual([...followed.existing(SLOT, stated, true)], [[B, 1]]);
});

Deno.test("where not all have answered nothing is cut, but for what this relay never gave", async () => {
  const { followed, pulls } = setUp(), stated = new Map([[B, 5], [SELF, 3]]);
  const looked = followed.look(SLOT, stated);
  pulls[0]?.resolve(false);
  assert.equal(await looked, false);
  assert.equal(followed.isAhead(SLOT, stated), true);
  assert.deepEqual([...followed.existing(SLOT, stated, false)], [[B, 5]]);
});

Deno.test("who comes into view during a look was not asked: what it may have is not given up", async () => {
  const { followed, logs, pulls } = setUp(), stated = new Map([[B, 2]]);
  const looked = followed.look(SLOT, stated);
  followed.viewChanged();
  pulls[0]?.resolve(true);
  assert.equal(await looked, false);
  assert.equal(followed.isAhead(SLOT, stated), true);
  logs.append(message(B, 2));
  assert.equal(followed.isAhead(SLOT, stated), false);
});
