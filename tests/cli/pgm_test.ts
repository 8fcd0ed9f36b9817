/** `pgm send`, `recv` and `dump` over real sockets of this machine. */
import assert from "node:assert/strict";
import { encodeData, encodeRepair, encodeSpm } from "../../backbone/pgm/encode.ts";
import { decodePacket } from "../../backbone/pgm/packet.ts";
import { openUdp } from "../../backbone/udp.ts";
import { run } from "../../src/cli/program.ts";
import { freePort } from "../support/free_port.ts";
import { fakeTerminal } from "../support/terminal.ts";

const INTERFACE = "127.0.0.1", GROUP = "239.192.7.1";

/** A `pgm` command that runs in this process. */
function start(command: string, port: number, ...flags: string[]) {
  const terminal = fakeTerminal(), hearing = Promise.withResolvers<void>();
  const args = ["pgm", command, "--interface", INTERFACE, "--port", String(port), ...flags];
  // What waits for messages that do not come ends all the same.
  if (!flags.includes("--seconds")) args.push("--seconds", "30");
  const watched = {
    ...terminal,
    err(text: string) {
      terminal.err(text);
      if (text.startsWith("hearing ")) hearing.resolve();
    },
  };
  const code = run(args, watched);
  code.then(() => hearing.resolve());
  const ended = code.then((code) => ({ code, ...terminal.written }));
  return { hearing: hearing.promise, ended, interrupt: () => terminal.interrupt() };
}

/** The only line of an output, parsed. */
function only(out: string) {
  assert.match(out, /^[^\n]+\n$/);
  return JSON.parse(out);
}

/** A PGM source that is none of ours: it sends what it is told, and `asked` resolves at the first NAK. */
async function openSource(port: number) {
  const stream = { gsi: 0x010203040506, sourcePort: 7_500, destinationPort: port };
  const group = { address: GROUP, port }, error = () => {};
  const socket = await openUdp({ interfaceAddress: INTERFACE, error });
  const asked = Promise.withResolvers<readonly number[]>();
  await socket.join(group, {
    datagram: (bytes) => {
      const packet = decodePacket(bytes);
      if (typeof packet === "object" && packet.type === "nak") asked.resolve(packet.sqns);
    },
    error,
  });
  const data = (sqn: number, payload: Uint8Array) => encodeData(stream, { sqn, trail: 0, payload });
  return {
    asked: asked.promise,
    data: (sqn: number, payload: Uint8Array) => socket.send(data(sqn, payload), group),
    repair: (sqn: number, payload: Uint8Array) =>
      socket.send(encodeRepair(data(sqn, payload), 0), group),
    spm: (sqn: number, lead: number, trail = 0) => {
      const spm = { sqn, trail, lead, nla: 0x7f000001, fin: false };
      return socket.send(encodeSpm(stream, spm), group);
    },
    close: () => socket.close(),
  };
}

/** A payload as the format says, made with the language's own 64-bit integers. */
function stamped(counter: bigint, wallNs: bigint): Uint8Array {
  const payload = new Uint8Array(20), view = new DataView(payload.buffer);
  view.setBigUint64(0, counter, true);
  view.setBigUint64(8, wallNs, true);
  return payload;
}

for (
  const { name, flags } of [{ name: "packed", flags: [] }, { name: "plain", flags: ["--no-pack"] }]
) {
  Deno.test(`what is sent ${name} is received, measured and dumped`, async () => {
    const port = freePort();
    const dump = start("dump", port);
    const recv = start("recv", port, "--count", "20000", "--origin", "receiver", "--json");
    await Promise.all([dump.hearing, recv.hearing]);
    const load = ["--count=20000", "--rate=0", "--size=100", "--tag=receiver"];
    const send = start("send", port, ...load, "--json", ...flags);
    const { out } = await recv.ended;
    const { received, bytes, duplicates, lost, naks, ...times } = only(out);
    assert.deepEqual([received, bytes, duplicates, lost], [20_000, 2_000_000, 0, 0]);
    assert(Number.isInteger(naks));
    assert.deepEqual(Object.keys(times), ["elapsed_s", "messages_per_s", "p50_us", "p99_us"]);
    assert(times.elapsed_s > 0 && times.messages_per_s > 0);
    assert(times.p50_us > 0 && times.p99_us >= times.p50_us);
    const sent = only((await send.ended).out);
    assert.deepEqual([sent.sent, sent.bytes], [20_000, 2_000_000]);
    dump.interrupt();
    const lines = (await dump.ended).out.trimEnd().split("\n");
    const isData = (line: string) => / [OR]DATA /.test(line);
    assert.match(
      lines.find(isData) ?? "",
      /^\d\d:\d\d:\d\d\.\d{6} 127\.0\.0\.1 ODATA [\w-]{8}:\d+ sqn=0 trail=0 tsdu=\d+ \d+ B/,
    );
    const acks = lines.filter((line) =>
      / ACK +receiver:\d+ window=\d+ [\w-]{8}:\d+=0-\d+ /.test(line)
    );
    assert(acks.length > 0);
    assert.equal(lines.some((line) => line.endsWith("[packed]")), name === "packed");
    if (name === "plain") assert(lines.filter(isData).every((line) => line.includes("tsdu=100 ")));
  });
}

Deno.test("back-pressure: messages of 1 MiB arrive however fast they are sent", async () => {
  const port = freePort(), size = 1 << 20;
  const recv = start("recv", port, "--count", "16", "--json");
  await recv.hearing;
  const send = start("send", port, "--count=16", "--rate=0", `--size=${size}`, "--json");
  const { received, bytes, lost } = only((await recv.ended).out);
  assert.deepEqual([received, bytes, lost], [16, 16 * size, 0]);
  assert.equal((await send.ended).code, 0);
});

Deno.test("any source will do: gaps, repeats and repairs are told apart, strange stamps have no latency", async () => {
  const port = freePort(), recv = start("recv", port, "--json");
  await recv.hearing;
  const source = await openSource(port);
  try {
    await source.spm(0, 0xffff_ffff);
    await source.data(0, stamped(0n, 5n));
    await source.data(1, stamped(1n, 5n));
    await source.data(3, stamped(5n, 2n ** 63n));
    assert.deepEqual(await source.asked, [2]);
    await source.repair(2, stamped(1n, 5n));
    await source.data(4, new TextEncoder().encode("short"));
    await source.data(5, new TextEncoder().encode("text, and no counter"));
    await source.spm(1, 5);
    const last = start("recv", port, "--count", "1");
    await last.hearing;
    await source.data(6, stamped(6n, 5n));
    assert.match((await last.ended).out, /^1 messages .* latency unknown \(no stamps\)\n$/);
  } finally {
    source.close();
  }
  recv.interrupt();
  const { elapsed_s: _, messages_per_s: __, naks, ...rest } = only((await recv.ended).out);
  const bytes = 5 * 20 + 5 + 20;
  assert.deepEqual(rest, {
    received: 7,
    bytes,
    duplicates: 1,
    lost: 3,
    p50_us: null,
    p99_us: null,
  });
  assert(naks >= 1);
});

Deno.test("what can no longer be repaired is told by its sequence numbers", async () => {
  const port = freePort(), recv = start("recv", port, "--count", "2", "--json");
  await recv.hearing;
  const source = await openSource(port);
  try {
    await source.spm(0, 0xffff_ffff);
    await source.data(0, stamped(0n, 5n));
    await source.spm(1, 2, 3);
    await source.data(3, stamped(1n, 5n));
    const { err, out } = await recv.ended;
    assert.match(err, /^lost 2 packets of AQIDBAUG: 1 to 2$/m);
    assert.equal(only(out).lost, 0);
  } finally {
    source.close();
  }
});

Deno.test("runs end by time and by signal, with what there was", async () => {
  const port = freePort();
  const timed = await start("recv", port, "--seconds", "1", "--json").ended;
  assert.deepEqual([timed.code, only(timed.out).received, only(timed.out).p50_us], [0, 0, null]);
  const recv = start("recv", port, "--json"), send = start("send", port, "--json");
  await recv.hearing;
  const dump = start("dump", port, "--count", "3");
  assert.equal((await dump.ended).out.trimEnd().split("\n").length, 3);
  send.interrupt();
  const { code, out } = await send.ended;
  assert.equal(code, 0);
  assert(only(out).sent > 0);
  recv.interrupt();
  assert((await recv.ended).out.endsWith("}\n"));
});

Deno.test("a port that somebody does not share, and an address that is not ours, are explained", async () => {
  const port = freePort();
  const hog = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port });
  try {
    for (const command of ["recv", "dump"]) {
      const { code, err } = await start(command, port).ended;
      assert.equal(code, 1);
      assert.match(err, /^239\.192\.7\.1:\d+ is taken by a program that does not share it/);
    }
  } finally {
    hog.close();
  }
  for (const command of ["send", "recv", "dump"]) {
    const terminal = fakeTerminal();
    assert.equal(await run(["pgm", command, "--interface", "203.0.113.9"], terminal), 1);
    assert.match(terminal.written.err, /^no multicast to 239\.192\.7\.1:3055 on --interface 203/);
  }
});

Deno.test("a wrong call is exit code 2, and pgm alone lists its commands", async () => {
  const call = async (...args: string[]) => {
    const terminal = fakeTerminal();
    return { code: await run(args, terminal), ...terminal.written };
  };
  const help = await call("pgm", "--help");
  assert.equal(help.code, 0);
  for (const name of ["pgm send", "pgm recv", "pgm dump"]) assert(help.out.includes(`  ${name}  `));
  assert(!help.out.includes("serve"));
  assert.deepEqual(await call("pgm"), { code: 2, out: "", err: help.out });
  assert.match(
    (await call("pgm", "sned")).err,
    /^unknown command pgm sned; did you mean pgm send\?/,
  );
  assert.match((await call("pgm", "send", "--size", "15")).err, /give a whole number from 16 to/);
  assert.match((await call("pgm", "recv", "--group", "10.0.0.1")).err, /multicast address/);
  assert.match((await call("pgm", "dump", "x")).err, /^pgm dump: unexpected "x"/);
});
