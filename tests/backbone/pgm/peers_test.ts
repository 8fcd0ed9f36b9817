/**
 * Who has a place among the sources heard, and who gives way.
 *
 * @module
 */
import { equal } from "node:assert/strict";
import { newCounters } from "../../../backbone/pgm/counters.ts";
import { Peers } from "../../../backbone/pgm/peers.ts";
import { Receiver } from "../../../backbone/pgm/receiver.ts";
import { Slabs } from "../../../backbone/pgm/slab.ts";
import { TIMING } from "../../../backbone/pgm/timing.ts";

const OPTIONS = {
  random: () => 0.5,
  echoes: false,
  windowBytes: 1,
  largestMessage: 1,
  gsi: 9,
  counters: newCounters(),
  allocate: new Slabs().allocate,
};

/** Peers that have so many places, and newcomers that take one if they can; answers whether they could. */
function places(most: number) {
  const peers = new Peers(most);
  const take = (gsi: number, address: string | undefined, nowMs = 0) => {
    const stream = { gsi, sourcePort: 2, destinationPort: 3 };
    const leaver = peers.isFull ? peers.replaceable(address, nowMs) : undefined;
    if (peers.isFull && leaver === undefined) return false;
    if (leaver) peers.delete(leaver);
    const events = { message: () => {}, lost: () => {} };
    peers.add(new Receiver({ stream, firstSqn: 0, address, nowMs }, events, OPTIONS));
    return true;
  };
  const has = (gsi: number) => peers.get({ gsi, sourcePort: 2, destinationPort: 3 }) !== undefined;
  return { peers, take, has };
}

Deno.test("a stream gives its place to another after the silence of two ambient SPMs, not before", () => {
  const { take, has } = places(1), silenceMs = 2 * TIMING.ambientSpmMs;
  take(1, "a", 5);
  equal(take(2, "b", 4 + silenceMs), false);
  equal(has(1), true);
  equal(take(2, "b", 5 + silenceMs), true);
  equal(has(1), false);
});

Deno.test("whoever has a place longest keeps it: the youngest of the address with the most goes", () => {
  const { take, has } = places(4);
  for (const gsi of [1, 2, 3]) take(gsi, "a", gsi);
  take(4, "b", 4);
  equal(take(5, "a", 5), false, "not even for one of its own address");
  equal(take(6, "c", 6), true);
  equal([1, 2, 3, 4, 6].filter(has).join(), "1,2,4,6");
  equal(take(7, "c", 7), false, "two, one and one are fair");
  equal(take(8, "d", 8), true);
  equal([1, 2, 4, 6, 8].filter(has).join(), "1,4,6,8");
  equal(take(9, "e", 9), false, "there are as many addresses as places");
});

Deno.test("addresses share the places evenly, whoever came first and however often they ask", () => {
  const { peers, take } = places(12);
  for (let round = 0, gsi = 0; round < 50; round++) {
    for (const address of ["a", "a", "a", "b", "c"]) take(gsi++, address, round);
  }
  const counts = Map.groupBy(peers.values(), ({ address }) => address);
  equal([...counts.values()].map(({ length }) => length).sort().join(), "4,4,4");
});

Deno.test("a stream counts where it is heard from, once it is", () => {
  const { peers, take, has } = places(3);
  for (const gsi of [1, 2]) take(gsi, undefined, gsi);
  take(3, "a", 3);
  for (const peer of peers.values()) if (peer.stream.gsi === 1) peers.locate(peer, "b");
  equal(take(4, "c", 4), false);
  for (const peer of peers.values()) if (peer.stream.gsi === 2) peers.locate(peer, "b");
  equal(take(4, "c", 4), true);
  equal([1, 2, 3, 4].filter(has).join(), "1,3,4");
});
