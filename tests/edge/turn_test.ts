import assert from "node:assert/strict";
import { Turn } from "../../src/edge/turn.ts";
import { FakeHost } from "./fake_host.ts";

/** A host whose turns end when the test says so. */
class TurnHost extends FakeHost {
  readonly #soon: (() => void)[] = [];

  override soon(fn: () => void): void {
    this.#soon.push(fn);
  }

  /** Answers how many waited for it. */
  endTurn(): number {
    const due = this.#soon.splice(0);
    for (const fn of due) fn();
    return due.length;
  }
}

Deno.test("what comes after a pause leaves at once, what follows leaves together with the turn", async () => {
  const host = new TurnHost(), turn = new Turn(host, "\n"), seen: string[] = [];
  turn.defer(() => seen.push("1"));
  await Promise.resolve();
  assert.deepEqual(seen, ["1"]);
  for (const name of ["2", "3"]) {
    turn.defer(() => seen.push(name));
    await Promise.resolve();
  }
  assert.deepEqual(seen, ["1"]);
  host.endTurn();
  assert.deepEqual(seen, ["1", "2", "3"]);
  assert.equal(host.endTurn(), 0);
  await host.pass(1);
  turn.defer(() => seen.push("4"));
  await Promise.resolve();
  assert.equal(seen.at(-1), "4");
});

Deno.test("what is put off while the others leave is not lost", async () => {
  const host = new TurnHost(), turn = new Turn(host, "\n"), seen: string[] = [];
  turn.defer(() => {
    seen.push("1");
    turn.defer(() => seen.push("2"));
  });
  await Promise.resolve();
  await Promise.resolve();
  host.endTurn();
  assert.deepEqual(seen, ["1", "2"]);
});
