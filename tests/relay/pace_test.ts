import { deepEqual, equal } from "node:assert/strict";
import { type Group, MOST_TAGGED } from "../../backbone/backbone.ts";
import { Pace } from "../../relay/pace.ts";

function pace() {
  const calls: [Group, readonly string[]][] = [];
  const tag = (group: Group, origins: readonly string[]) => void calls.push([group, origins]);
  return { calls, pace: new Pace({ tag }, 4) };
}

Deno.test("whoever is a ready custodian of a group holds back what is sent to it, until it is none", () => {
  const { calls, pace: followed } = pace();
  const follow = (ready: Readonly<Record<Group, readonly string[]>>) =>
    followed.follow((group) => ready[group] ?? []);
  follow({ 1: ["b", "a"], 2: ["b"] });
  deepEqual(calls.splice(0), [[1, ["b", "a"]], [2, ["b"]]]);
  follow({ 1: ["b", "a"], 2: ["b"] });
  deepEqual(calls.splice(0), [], "nothing has changed");
  follow({ 1: ["a", "b"] });
  deepEqual(calls.splice(0), [[1, ["a", "b"]], [2, []]], "another is the best");
  follow({});
  deepEqual(calls.splice(0), [[1, []]]);
  follow({});
  deepEqual(calls, []);
});

Deno.test("no more are tagged than one packet can name", () => {
  const { calls, pace: followed } = pace();
  followed.follow(() => Array.from({ length: 100 }, (_, i) => `${i}`));
  equal(calls[0]?.[1].length, MOST_TAGGED);
});
