import assert from "node:assert/strict";
import { rank } from "../../../relay/machines/rendezvous.ts";

function nodes(count: number) {
  return Array.from({ length: count }, (_, i) => ({
    node: `relay-${i + 1}`,
    origin: `origin${i}`,
  }));
}

/** The first two for each of many groups. */
function pairs(count: number, groups = 2000) {
  return Array.from(
    { length: groups },
    (_, group) => rank(group + 1, nodes(count)).slice(0, 2).map(({ node }) => node),
  );
}

Deno.test("groups are spread evenly over nodes of similar names", () => {
  for (const count of [3, 5, 30]) {
    const kept = new Map<string, number>();
    for (const node of pairs(count).flat()) kept.set(node, (kept.get(node) ?? 0) + 1);
    assert.equal(kept.size, count);
    const expected = 2 * 2000 / count;
    for (const [node, groups] of kept) {
      // Four deviations of a binomial distribution.
      const bound = 4 * Math.sqrt(expected);
      assert.ok(Math.abs(groups - expected) < bound, `${node} of ${count}: ${groups}`);
    }
  }
});

Deno.test("a node that comes or goes moves only what it gets or had", () => {
  const before = pairs(5), after = pairs(6);
  let moved = 0;
  before.forEach((pair, i) => {
    const others = after[i]?.filter((node) => node !== "relay-6") ?? [];
    assert.deepEqual(others, pair.slice(0, others.length));
    if (others.length < 2) moved++;
  });
  assert.ok(Math.abs(moved / 2000 - 1 / 3) < 0.05, `${moved} of 2000 groups moved`);
});

Deno.test("the order of the candidates is of no matter, also where names are the same", () => {
  const twins = [{ node: "a", origin: "2" }, { node: "b", origin: "3" }, {
    node: "a",
    origin: "1",
  }];
  for (let group = 1; group < 50; group++) {
    assert.deepEqual(rank(group, twins), rank(group, twins.toReversed()));
  }
});
