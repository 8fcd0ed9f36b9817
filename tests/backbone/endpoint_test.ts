/**
 * Backbones at loopback: what is sent is heard, once and in order, and what is out of range is refused.
 *
 * @module
 */
import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import type { BackboneEvents } from "../../backbone/backbone.ts";
import { encodeNak } from "../../backbone/pgm/encode.ts";
import { parseGsi } from "../../backbone/pgm/gsi.ts";
import { lengthOf } from "../../backbone/pgm/serial.ts";
import type { SocketOptions } from "../../backbone/udp.ts";
import { freePort } from "../support/free_port.ts";
import { lossyUdp } from "../support/lossy_socket.ts";
import { notingSocket, openLoopback, pass, settled, within } from "../support/loopback_backbone.ts";
import { dropper, kindOf, lossOfAll } from "../support/pgm_faults.ts";
import { seededRandom } from "../support/random.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const GROUP = 1;

/** Sends `count` numbers, as fast as the window takes them; answers what arrived when all did, or nothing more came. */
async function transfer(
  count: number,
  drop: (bytes: Uint8Array) => boolean,
  patienceMs: number,
): Promise<{ received: number[]; lost: number }> {
  const port = freePort();
  const received: number[] = [];
  let lost = 0;
  const done = Promise.withResolvers<void>();
  const sender = await openLoopback("senderAA", port, {}, { openSocket: lossyUdp(drop) });
  const receiver = await openLoopback("receiver", port, {
    message: (_group, _origin, payload) => {
      if (received.push(numberOf(payload)) === count) done.resolve();
    },
    lost: (_group, _origin, range) => lost += lengthOf(range),
  }, { openSocket: lossyUdp(drop) });
  try {
    await receiver.join(GROUP);
    await sender.join(GROUP);
    for (let i = 0; i < count;) {
      for (let burst = 0; burst < 20 && i < count; burst++) {
        if (sender.send(GROUP, payloadOf(i))) i++;
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    await within(patienceMs, done.promise);
    return { received, lost };
  } finally {
    await Promise.all([sender.close(), receiver.close()]);
  }
}

function payloadOf(number: number): Uint8Array {
  const payload = new Uint8Array(200);
  new DataView(payload.buffer).setUint32(0, number);
  return payload;
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

Deno.test("10,000 messages arrive in order while 10 % of the datagrams are lost", async () => {
  const { received, lost } = await transfer(
    10_000,
    dropper(lossOfAll(0.1), seededRandom(1)),
    20_000,
  );
  deepEqual(received, Array.from({ length: 10_000 }, (_, i) => i));
  equal(lost, 0);
});

Deno.test("without NAKs the same loss is not repaired", async () => {
  const lose = dropper(lossOfAll(0.1), seededRandom(1));
  const { received } = await transfer(500, (bytes) => kindOf(bytes) === "nak" || lose(bytes), 500);
  ok(received.length < 500);
});

Deno.test("a relay hears others, not itself, and only groups it joined", async () => {
  const port = freePort();
  const heard: string[] = [];
  const done = Promise.withResolvers<void>();
  const hear = (by: string): Partial<BackboneEvents> => ({
    message: (group, origin, payload) => {
      heard.push(`${by} ${group} ${origin} ${payload[0]}`);
      if (heard.length === 2) done.resolve();
    },
  });
  const a = await openLoopback("AAAAAAAA", port, hear("a"));
  const b = await openLoopback("BBBBBBBB", port, hear("b"));
  try {
    await Promise.all([a.join(0), a.join(1), b.join(1)]);
    await a.join(1);
    equal(a.send(1, Uint8Array.of(1)), 1);
    equal(a.send(0, Uint8Array.of(2)), 1);
    equal(b.send(2, Uint8Array.of(3)), 1);
    equal(b.send(0, Uint8Array.of(4)), 1);
    await within(5_000, done.promise);
    deepEqual(heard.sort(), ["a 0 BBBBBBBB 4", "b 1 AAAAAAAA 1"]);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
});

Deno.test("a group that was left is heard no more, and can be joined again", async () => {
  const port = freePort();
  const heard: number[] = [];
  let arrived = Promise.withResolvers<void>();
  const a = await openLoopback("AAAAAAAA", port);
  const b = await openLoopback("BBBBBBBB", port, {
    message: (_group, _origin, payload) => {
      heard.push(payload[0] ?? -1);
      arrived.resolve();
    },
  });
  try {
    await b.join(1);
    a.send(1, Uint8Array.of(1));
    await within(5_000, arrived.promise);
    b.leave(1);
    b.leave(1);
    a.send(1, Uint8Array.of(2));
    await b.join(2);
    await b.join(1);
    arrived = Promise.withResolvers();
    a.send(1, Uint8Array.of(3));
    await within(5_000, arrived.promise);
    deepEqual(heard.filter((number) => number !== 2), [1, 3]);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
});

Deno.test("1 MiB arrives intact, and more than a message holds is refused", async () => {
  const port = freePort();
  const arrived = Promise.withResolvers<Uint8Array>();
  const a = await openLoopback("AAAAAAAA", port);
  const b = await openLoopback("BBBBBBBB", port, {
    message: (_group, _origin, payload) => arrived.resolve(payload),
  });
  try {
    await b.join(1);
    const random = seededRandom(3);
    const payload = Uint8Array.from({ length: 1 << 20 }, () => random() * 256);
    equal(a.send(1, payload), 1);
    deepEqual(await within(10_000, arrived.promise), payload);
    throws(() => a.send(1, new Uint8Array(2 << 20)), RangeError);
    throws(() => a.send(9, payload), RangeError);
  } finally {
    await Promise.all([a.close(), b.close()]);
  }
});

Deno.test("a queue that is full refuses, and takes again once it has drained", async () => {
  const a = await openLoopback("AAAAAAAA", freePort());
  try {
    const payload = new Uint8Array(1 << 20);
    let taken = 0;
    while (a.send(1, payload)) taken++;
    ok(taken >= 4 && taken < 32, `${taken} messages of 1 MiB were taken at once`);
    const again = async () => {
      while (!a.send(1, payload)) await new Promise((resolve) => setTimeout(resolve, 1));
    };
    equal(await within(5_000, again()), undefined);
  } finally {
    await a.close();
  }
});

Deno.test("options out of range are refused", async () => {
  await rejects(openLoopback("AAAAAAAA", 3055, {}, { groupBase: "10.0.0.1" }), RangeError);
  await rejects(openLoopback("AAAAAAAA", 3055, {}, { groupBase: "nonsense" }), RangeError);
  await rejects(openLoopback("AAAAAAAA", 3055, {}, { groupBase: "239.255.255.255" }), RangeError);
  await rejects(openLoopback("short", 3055), RangeError);
});

Deno.test("a socket that fails to join is an error of that join alone", async () => {
  const a = await openLoopback("AAAAAAAA", 3055, {}, {
    openSocket: () =>
      Promise.resolve({
        send: () => Promise.resolve(),
        sendAll: () => Promise.resolve(),
        join: () => Promise.reject(new Error("no more memberships")),
        receiveBuffer: () => 1 << 20,
        close: () => {},
      }),
  });
  await rejects(a.join(1), /no more memberships/);
  equal(a.send(1, Uint8Array.of(1)), 1);
  await a.close();
});

Deno.test("groups take turns: one with a long queue does not keep another waiting", async () => {
  const notes: string[] = [], clock = new VirtualClock();
  const a = await openLoopback("AAAAAAAA", 3055, {}, { openSocket: notingSocket(notes), clock });
  a.send(1, new Uint8Array(1 << 20));
  a.send(2, new Uint8Array(20_000));
  await pass(clock, 10, 1);
  const places = notes.flatMap((address, at) => address === "239.192.7.2" ? [at] : []);
  const { 0: first = NaN, 15: last = NaN } = places;
  ok(first <= 35, `${first} packets of the first group went first`);
  ok(last < 70, `the second group's 16th packet was number ${last}`);
});

Deno.test("groups take turns, too, where the budget allows less than a turn at a time", async () => {
  const notes: string[] = [], clock = new VirtualClock();
  const a = await openLoopback("AAAAAAAA", 3055, {}, { openSocket: notingSocket(notes), clock });
  const groups = [1, 2, 3];
  for (const group of groups) a.send(group, new Uint8Array(1 << 20));
  await pass(clock, 60, 0.1);
  const shares = groups.map((group) =>
    notes.filter((address) => address === `239.192.7.${group}`).length / notes.length
  );
  for (const share of shares) ok(share > 0.25, `${shares}`);
});

Deno.test("a send is on the wire before it returns, and many of one turn follow without a timer", async () => {
  const notes: string[] = [];
  const clock = new VirtualClock();
  const a = await openLoopback("AAAAAAAA", 3055, {}, { openSocket: notingSocket(notes), clock });
  a.send(1, Uint8Array.of(1));
  deepEqual(notes.slice(0, 2), ["239.192.7.1", "239.192.7.1"], "SPM and data");
  for (let i = 0; i < 99; i++) a.send(1, new Uint8Array(100));
  await settled();
  equal(a.counters().messages_sent, 100);
  ok((a.counters().odata_sent ?? 100) < 20, "those that had to wait shared packets");
});

Deno.test("a group that is only sent to is heard for requests while they can come, and then left", async () => {
  const notes: string[] = [];
  const clock = new VirtualClock();
  const a = await openLoopback("AAAAAAAA", 3055, {}, { openSocket: notingSocket(notes), clock });
  a.send(1, Uint8Array.of(1));
  await settled();
  ok(notes.includes("join 239.192.7.1"));
  await pass(clock, 30, 1_000);
  ok(!notes.includes("leave 239.192.7.1"));
  await pass(clock, 31, 1_000);
  ok(notes.includes("leave 239.192.7.1"));
});

Deno.test("payloads share packets unless they may not", async () => {
  for (const pack of [true, false]) {
    const a = await openLoopback("AAAAAAAA", freePort(), {}, { pack });
    for (let i = 0; i < 100; i++) a.send(1, payloadOf(i));
    await a.close();
    const { messages_sent, odata_sent } = a.counters();
    equal(messages_sent, 100);
    equal(odata_sent === 100, !pack, `${odata_sent} packets`);
  }
});

Deno.test("a request that comes to us alone is answered to the group, by the stream it means", async () => {
  const sent: Uint8Array[] = [], port = freePort();
  let own: SocketOptions["own"];
  const a = await openLoopback("AAAAAAAA", port, {}, {
    openSocket: (options) => {
      own = options.own;
      return Promise.resolve({
        send: () => Promise.resolve(),
        sendAll: (datagrams) => {
          sent.push(...datagrams.map((bytes) => bytes.slice()));
          return Promise.resolve();
        },
        join: () => Promise.resolve(() => {}),
        receiveBuffer: () => 1 << 20,
        close: () => {},
      });
    },
  });
  try {
    equal(own?.port, port);
    a.send(2, Uint8Array.of(7));
    ok(sent.some((bytes) => kindOf(bytes) === "data"));
    // The announcements before the data have taken their turn, too.
    await new Promise((resolve) => setTimeout(resolve));
    const stream = { gsi: parseGsi("AAAAAAAA"), sourcePort: 32_770, destinationPort: port };
    const nak = { sqns: [0], sourceNla: 0x7f000001, groupNla: 0xefc00702 };
    const from = { address: "127.0.0.1", port: 1 };
    own?.datagram(encodeNak({ ...stream, sourcePort: 32_771 }, "nak", nak), from);
    own?.datagram(new Uint8Array(), from);
    equal(sent.some((bytes) => kindOf(bytes) === "repair"), false);
    equal(a.counters().dropped_foreign, 2);
    own?.datagram(encodeNak(stream, "nak", nak), from);
    deepEqual(sent.slice(-2).map(kindOf), ["control", "repair"]);
  } finally {
    await a.close();
  }
});

Deno.test("what is sent within a turn of the event loop shares packets, but for the first", async () => {
  const backbone = await openLoopback("senderAA", freePort());
  try {
    for (let n = 0; n < 24; n++) {
      backbone.send(GROUP, Uint8Array.of(n));
      // Publishes of one turn come one by one, each at the end of some promises.
      for (let step = 0; step < 8; step++) await Promise.resolve();
    }
    const sent = () => backbone.counters().messages_sent ?? 0;
    equal(sent(), 1, "the first leaves at once");
    while (sent() < 24) await new Promise((resolve) => setTimeout(resolve));
    equal(backbone.counters().odata_sent, 2);
  } finally {
    await backbone.close();
  }
});
