import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { bufferAdvice, raiseReceiveBuffer, RECEIVE_BUFFER } from "../../backbone/receive_buffer.ts";
import { openUdp, type SocketEvents, type Target } from "../../backbone/udp.ts";
import { freePort } from "../support/free_port.ts";
import { INTERFACE, open } from "../support/udp_sockets.ts";

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

Deno.test("what is sent to us alone is heard by the first on the port, then by the next", async () => {
  const port = freePort(), self = { address: INTERFACE, port };
  const heard: [string, Target][] = [], errors: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const own = (name: string) => ({
    port,
    datagram: (_bytes: Uint8Array, from: Target) => {
      heard.push([name, from]);
      arrived.resolve();
    },
  });
  const first = await open((kind) => errors.push(kind), { own: own("first") });
  const second = await open((kind) => errors.push(kind), { own: own("second") });
  const sender = await open();
  const repeat = setInterval(() => sender.send(Uint8Array.of(1), self), 5);
  try {
    await arrived.promise;
    equal(heard.some(([name]) => name === "second"), false);
    equal(heard[0]?.[1].address, INTERFACE);
    first.close();
    heard.length = 0;
    arrived = Promise.withResolvers();
    await arrived.promise;
    deepEqual([...new Set(heard.map(([name]) => name))], ["second"]);
    deepEqual(errors, [], "a taken port is no error");
  } finally {
    clearInterval(repeat);
    for (const socket of [first, second, sender]) socket.close();
  }
});

Deno.test("the TTL is 1, or the one asked for", async () => {
  const ttls = () => new Set(multicastTtls());
  equal(ttls().has(7), false);
  const group = { address: "239.192.7.1", port: freePort() };
  const { events, next } = collector();
  const socket = await open(events.error, { ttl: 7 });
  try {
    equal(ttls().has(7), true);
    await socket.join(group, events);
    await socket.send(Uint8Array.of(1), group);
    deepEqual(await next(), Uint8Array.of(1));
  } finally {
    socket.close();
  }
});

/** IP_MULTICAST_TTL of every socket of this process. */
function multicastTtls(): number[] {
  const IPPROTO_IP = 0, IP_MULTICAST_TTL = 33;
  const libc = Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
  const ttls: number[] = [];
  for (let fd = 0; fd < 1024; fd++) {
    const ttl = Int32Array.of(0), length = Uint32Array.of(4);
    const [value, size] = [new Uint8Array(ttl.buffer), new Uint8Array(length.buffer)];
    if (libc.symbols.getsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, value, size) === 0) {
      ttls.push(ttl[0] ?? 0);
    }
  }
  libc.close();
  return ttls;
}

Deno.test("a receive buffer is raised as far as the kernel allows, and less is told with its mend", () => {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: INTERFACE, port: 0 });
  try {
    const granted = raiseReceiveBuffer(socket.addr as Deno.NetAddr);
    const most = Number(Deno.readTextFileSync("/proc/sys/net/core/rmem_max"));
    equal(granted, Deno.uid() === 0 ? RECEIVE_BUFFER : Math.min(RECEIVE_BUFFER, most));
  } finally {
    socket.close();
  }
  equal(bufferAdvice(RECEIVE_BUFFER), undefined);
  deepEqual(bufferAdvice(212_992), {
    says: "208 KiB in place of 4096 KiB: bursts may be lost",
    mend: "sysctl -w net.core.rmem_max=4194304",
  });
});

Deno.test("without FFI the buffers that stay small are told once, not per group", async () => {
  const { querySync } = Deno.permissions, { readTextFileSync } = Deno;
  Deno.permissions.querySync = () => ({ state: "denied" }) as Deno.PermissionStatus;
  Deno.readTextFileSync = () => "212992\n";
  const told: string[] = [], port = freePort();
  const socket = await open(undefined, { warn: (advice) => told.push(advice) });
  try {
    await socket.join({ address: "239.192.7.1", port }, collector().events);
    await socket.join({ address: "239.192.7.2", port }, collector().events);
    equal(told.length, 1);
    match(told[0] ?? "", /FFI is not allowed.*sysctl -w net\.core\.rmem_default=4194304$/);
    Deno.readTextFileSync = () => "4194304\n";
    equal(bufferAdvice(undefined), undefined, "a default that is large enough");
  } finally {
    Object.assign(Deno, { readTextFileSync });
    Object.assign(Deno.permissions, { querySync });
    socket.close();
  }
});
