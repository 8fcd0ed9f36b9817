import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { openUdp, type SocketEvents, type Target } from "../../backbone/udp.ts";
import { freePort } from "../support/free_port.ts";

const INTERFACE = "127.0.0.1";

/** Collects datagrams and errors; `next` resolves with the next datagram. */
function collector() {
  const errors: string[] = [];
  let arrived = Promise.withResolvers<Uint8Array>();
  const events: SocketEvents = {
    datagram: (bytes) => arrived.resolve(bytes.slice()),
    error: (kind) => errors.push(kind),
  };
  const next = async () => {
    const bytes = await arrived.promise;
    arrived = Promise.withResolvers();
    return bytes;
  };
  return { events, errors, next };
}

function open(error: SocketEvents["error"] = () => {}) {
  return openUdp({ interfaceAddress: INTERFACE, error });
}

type Listen = (options: Deno.UdpListenOptions & { transport: "udp" }) => Deno.DatagramConn;

/** Puts `listen` in the place of the system's; answers how to undo it. */
function replaceListen(listen: (real: Listen) => Listen): () => void {
  const real = Deno.listenDatagram;
  Deno.listenDatagram = listen(real) as typeof Deno.listenDatagram;
  return () => void (Deno.listenDatagram = real);
}

Deno.test("datagrams reach every member of their group on this host, and no other group", async () => {
  const port = freePort();
  const groups: Target[] = ["239.192.7.1", "239.192.7.2"].map((address) => ({ address, port }));
  const [one, two] = groups;
  ok(one && two);
  const [a, b] = [await open(), await open()];
  try {
    const [inA, inB, other] = [collector(), collector(), collector()];
    await a.join(one, inA.events);
    await b.join(one, inB.events);
    await b.join(two, other.events);
    await a.send(Uint8Array.of(1), one);
    deepEqual([await inA.next(), await inB.next()], [Uint8Array.of(1), Uint8Array.of(1)]);
    await b.send(Uint8Array.of(2), two);
    deepEqual(await other.next(), Uint8Array.of(2));
    // Nothing of the second group came to the first in between.
    await a.send(new Uint8Array(), one);
    equal((await inB.next()).length, 0);
  } finally {
    a.close();
    b.close();
    b.close();
  }
});

Deno.test("a datagram that cannot be sent is an error that is told, and no more", async () => {
  const { events, errors } = collector();
  const socket = await open(events.error);
  try {
    await socket.send(new Uint8Array(70_000), { address: "239.192.7.1", port: freePort() });
    deepEqual(errors, ["send"]);
  } finally {
    socket.close();
  }
  await socket.send(Uint8Array.of(1), { address: "239.192.7.1", port: freePort() });
  deepEqual(errors, ["send"], "a closed socket sends nothing and says nothing");
});

Deno.test("an address that no interface has, and a group that is none, are refused", async () => {
  await rejects(openUdp({ interfaceAddress: "203.0.113.1", error: () => {} }));
  const socket = await open();
  await rejects(socket.join({ address: "127.0.0.1", port: freePort() }, collector().events));
  socket.close();
});

Deno.test("a group whose socket fails is heard again", async () => {
  const group = { address: "239.192.7.1", port: freePort() };
  const { events, errors, next } = collector();
  let opened = 0, again: ReturnType<typeof setInterval> | undefined;
  // The group's first socket fails at once; its second cannot be opened.
  const restore = replaceListen((real) => (options) => {
    const socket = real(options);
    if (options.hostname !== group.address) return socket;
    if (++opened === 2) {
      socket.close();
      throw new Deno.errors.AddrInUse("for now");
    }
    if (opened === 1) socket.receive = () => Promise.reject(new Error("network down"));
    return socket;
  });
  const socket = await open();
  try {
    await socket.join(group, events);
    // Lost until the group is heard again.
    again = setInterval(() => socket.send(Uint8Array.of(7), group), 5);
    deepEqual(await next(), Uint8Array.of(7));
    equal(opened, 3);
    deepEqual(errors.slice(0, 2), ["receive", "receive"]);
  } finally {
    restore();
    clearInterval(again);
    socket.close();
  }
});

Deno.test("a group that is left while its socket fails ends its attempts", async () => {
  const group = { address: "239.192.7.1", port: freePort() };
  const socket = await open();
  const failed = Promise.withResolvers<void>();
  const restore = replaceListen((real) => (options) => {
    const broken = real(options);
    broken.receive = () => Promise.reject(new Error("network down"));
    return broken;
  });
  try {
    const leave = await socket.join(group, { datagram: () => {}, error: () => failed.resolve() });
    await failed.promise;
    leave();
    leave();
  } finally {
    restore();
    socket.close();
  }
});
