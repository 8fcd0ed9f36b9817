import { deepEqual, equal } from "node:assert/strict";
import { type Group, MOST_TAGGED } from "../../backbone/backbone.ts";
import { Pace } from "../../relay/pace.ts";

function pace() {
  const calls: [Group, readonly string[]][] = [];
  const tag = (group: Group, origins: readonly string[]) => void calls.push([group, origins]);
  return { calls, pace: new Pace({ tag }, 4) };
}

Deno.test("whoever hears a group holds back what is sent to it, until it leaves", () => {
  const { calls, pace: followed } = pace();
  followed.follow([{ origin: "b", groups: [1, 2] }, { origin: "a", groups: [1] }]);
  deepEqual(calls.splice(0), [[1, ["a", "b"]], [2, ["b"]]]);
  followed.follow([{ origin: "a", groups: [1] }, { origin: "b", groups: [2, 1] }]);
  deepEqual(calls.splice(0), [], "nothing has changed");
  followed.follow([{ origin: "a", groups: [1] }]);
  deepEqual(calls.splice(0), [[1, ["a"]], [2, []]]);
  followed.follow([]);
  deepEqual(calls.splice(0), [[1, []]]);
  followed.follow([]);
  deepEqual(calls, []);
});

Deno.test("a group that is none is passed over", () => {
  const { calls, pace: followed } = pace();
  followed.follow([{ origin: "a", groups: [4, 5] }]);
  deepEqual(calls, [[4, ["a"]]]);
});

Deno.test("no more are tagged than one packet can name", () => {
  const { calls, pace: followed } = pace();
  followed.follow(Array.from({ length: 100 }, (_, i) => ({ origin: `${i}`, groups: [3] })));
  equal(calls[0]?.[1].length, MOST_TAGGED);
});
