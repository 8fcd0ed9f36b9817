/**
 * Ours and Debian's OpenPGM understand each other, and Wireshark understands both.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { encodeData } from "../../backbone/pgm/encode.ts";
import { canOpenLabs, Lab } from "../../scripts/lan/lab.ts";
import { Capture, type Captured } from "./capture.ts";
import {
  buildOpenPgm,
  GROUP,
  outputOf,
  type Peer,
  plainGroundwave,
  PORT,
  receive,
  start,
  type Tally,
  transfer,
} from "./peers.ts";

const ignore = !canOpenLabs();
const COUNT = 4_000, SIZE = 200, RATE = 4_000, SECONDS = 30;

interface World {
  readonly lab: Lab;
  readonly openPgm: Peer;
  readonly capture: Capture;
}

/** A lab of two hosts that is recorded, and OpenPGM's peer, for one test. */
async function inLab(test: (world: World) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const openPgm = await buildOpenPgm(folder);
    await using lab = await Lab.open(2);
    await using capture = await Capture.start(lab);
    await test({ lab, openPgm, capture });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every message arrived, once. */
function allOf(tally: Tally | undefined, count = COUNT, size = SIZE): void {
  const { received, bytes, duplicates, lost } = tally ?? {};
  deepEqual(
    { received, bytes, duplicates, lost },
    { received: count, bytes: count * size, duplicates: 0, lost: 0 },
  );
}

function wellFormed(packets: readonly Captured[]): void {
  ok(packets.some(({ type }) => type === "odata"), "data was recorded");
  deepEqual(packets.filter((packet) => packet.malformed || packet.badChecksum), []);
}

/** The packets of one type from a host of the lab, by its number. */
function from(packets: readonly Captured[], host: number, type: Captured["type"]): Captured[] {
  return packets.filter((packet) => packet.from === `10.77.0.${host}` && packet.type === type);
}

const PAIRS: readonly (readonly [string, (world: World) => readonly [Peer, Peer]])[] = [
  ["ours → OpenPGM", ({ openPgm }) => [plainGroundwave, openPgm]],
  ["OpenPGM → ours", ({ openPgm }) => [openPgm, plainGroundwave]],
];

for (const [pair, peersOf] of PAIRS) {
  Deno.test({
    name: `${pair}: without loss nothing is asked for`,
    ignore,
    fn: () =>
      inLab(async (world) => {
        const [sender, receiver] = peersOf(world);
        const what = { count: COUNT, size: SIZE, rate: RATE, seconds: SECONDS };
        const [tally] = await transfer(world.lab.hosts, { ...what, sender, receivers: [receiver] });
        allOf(tally);
        const packets = await world.capture.stop();
        wellFormed(packets);
        equal(from(packets, 2, "nak").length, 0);
      }),
  });

  Deno.test({
    name: `${pair}: 5 % loss is repaired, by lists of NAKs where there are runs`,
    ignore,
    fn: () =>
      inLab(async (world) => {
        const [sender, receiver] = peersOf(world);
        const what = { count: COUNT, size: SIZE, rate: RATE, seconds: SECONDS };
        world.lab.hosts[1]?.lose(5, PORT);
        const [tally] = await transfer(world.lab.hosts, { ...what, sender, receivers: [receiver] });
        allOf(tally);
        const packets = await world.capture.stop();
        wellFormed(packets);
        ok(from(packets, 2, "nak").some(({ listed }) => listed > 0), "a NAK with a list");
        ok(from(packets, 1, "ncf").some(({ listed }) => listed > 0), "an NCF with a list");
        ok(from(packets, 1, "rdata").length >= COUNT * 0.05 / 2, "repairs");
      }),
  });

  Deno.test({
    name: `${pair}: a source that starts again is another stream`,
    ignore,
    fn: () =>
      inLab(async (world) => {
        const [one, two] = world.lab.hosts;
        const [sender, receiver] = peersOf(world);
        ok(one && two);
        const count = 500;
        const { tally } = await receive(two, receiver, { count: 2 * count, seconds: SECONDS });
        for (let run = 0; run < 2; run++) {
          await outputOf(start(one, sender, "send", { count, size: SIZE, rate: RATE }));
        }
        allOf(await tally, 2 * count);
        const packets = await world.capture.stop();
        wellFormed(packets);
        equal(new Set(packets.map(({ gsi }) => gsi)).size, 2);
      }),
  });
}

// The other direction is not to be had: Debian's libpgm crashes when it sends fragments.
Deno.test({
  name: "ours → OpenPGM: messages in 15 fragments, with 5 % loss",
  ignore,
  fn: () =>
    inLab(async ({ lab, openPgm, capture }) => {
      const count = 200, size = 20_000;
      const what = { count, size, rate: 200, seconds: SECONDS };
      lab.hosts[1]?.lose(5, PORT);
      const [tally] = await transfer(lab.hosts, {
        ...what,
        sender: plainGroundwave,
        receivers: [openPgm],
      });
      allOf(tally, count, size);
      wellFormed(await capture.stop());
    }),
});

/** A program that sends its argument, in base64, to the group. */
const SEND = `
  const [hostname, bytes] = Deno.args;
  const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
  const to = { transport: "udp", hostname: "${GROUP}", port: ${PORT} };
  await socket.send(Uint8Array.fromBase64(bytes), to);
  socket.close();`;

Deno.test({
  name: "a packet with a bad checksum, or cut short, would be found",
  ignore,
  fn: () =>
    inLab(async ({ lab, capture }) => {
      const [host] = lab.hosts;
      ok(host);
      const stream = { gsi: 1, sourcePort: 2, destinationPort: PORT };
      const packet = encodeData(stream, { sqn: 0, trail: 0, payload: new Uint8Array(32) });
      const wrong = packet.with(30, 1);
      for (const bytes of [packet, wrong, packet.subarray(0, 20)]) {
        const command = ["eval", "--unstable-net", SEND, "--", host.address, bytes.toBase64()];
        const { success } = await host.spawn([Deno.execPath(), ...command]).status;
        ok(success);
      }
      const seen = (await capture.stop()).map(({ badChecksum, malformed }) => [
        badChecksum,
        malformed,
      ]);
      deepEqual(seen.slice(0, 2), [[false, false], [true, false]]);
      deepEqual(seen[2]?.includes(true), true);
    }),
});
