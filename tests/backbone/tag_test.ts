import { equal, notEqual, ok, throws } from "node:assert/strict";
import {
  type Backbone,
  type BackboneEvents,
  type Group,
  MOST_TAGGED,
} from "../../backbone/backbone.ts";
import { TYPE } from "../../backbone/pgm/packet.ts";
import { freePort } from "../support/free_port.ts";
import { openLoopback, within } from "../support/loopback_backbone.ts";
import { lossyUdp } from "../support/lossy_socket.ts";

const GROUPS = [1, 2, 3];
const EACH = 2_000;
const PAYLOAD = new Uint8Array(200);

function open(
  origin: string,
  groupPort: number,
  events: Partial<BackboneEvents>,
  drop: (bytes: Uint8Array) => boolean,
): Promise<Backbone> {
  const options = { groupCount: GROUPS.length, openSocket: lossyUdp(drop) };
  return openLoopback(origin, groupPort, events, options);
}

/** Sends to three groups at once what one tagged relay hears, until it has it or has acknowledged it; answers what both counted. */
async function transfer(until: "received" | "acknowledged", drop: (bytes: Uint8Array) => boolean) {
  const port = freePort(), done = Promise.withResolvers<void>();
  const acknowledged = new Map<Group, number>(),
    isAll = (group: Group) => acknowledged.get(group) === EACH;
  let received = 0;
  const source = await open("senderAA", port, {
    acknowledged(group, origin, from, through) {
      equal(origin, "receiver");
      equal(from, 1);
      acknowledged.set(group, through);
      if (GROUPS.every(isAll)) done.resolve();
    },
  }, drop);
  const hearer = await open("receiver", port, {
    message() {
      if (++received === EACH * GROUPS.length && until === "received") done.resolve();
    },
  }, drop);
  try {
    await Promise.all([hearer.join(0), ...GROUPS.map((group) => hearer.join(group))]);
    await Promise.all(GROUPS.map((group) => source.join(group)));
    for (const group of GROUPS) source.tag(group, ["receiver"]);
    for (let sent = 0; sent < EACH;) {
      for (let burst = 0; burst < 20 && sent < EACH; burst++, sent++) {
        for (const group of GROUPS) equal(source.send(group, PAYLOAD), sent + 1);
      }
      await new Promise((resolve) => setTimeout(resolve));
    }
    notEqual(await within(30_000, done.promise), "late");
    return { source: source.counters(), hearer: hearer.counters() };
  } finally {
    await Promise.all([source.close(), hearer.close()]);
  }
}

Deno.test("a tagged relay acknowledges the streams of all groups, to the last payload, in few packets of the control group", async () => {
  const { source, hearer } = await transfer("acknowledged", () => false);
  equal(source["tags_admitted"], GROUPS.length);
  equal(source["tags_lapsed"], 0);
  const acks = hearer["acks_sent"] ?? 0, packets = source["odata_sent"] ?? 0;
  ok(acks > 0 && acks < packets / 2, `${acks} ACKs for ${packets} packets`);
});

Deno.test("a tagged relay whose acknowledgements never come is waited for once", async () => {
  const { source } = await transfer("received", (bytes) => bytes[4] === TYPE.ack);
  equal(source["tags_admitted"], 0);
  equal(source["tags_lapsed"], GROUPS.length);
});

Deno.test("only relays can be tagged, and only so many", async () => {
  const source = await open("senderAA", freePort(), {}, () => false);
  try {
    throws(() => source.tag(1, ["nobody"]), RangeError);
    throws(() => source.tag(9, []), RangeError);
    throws(() => source.tag(1, Array(MOST_TAGGED + 1).fill("receiver")), RangeError);
  } finally {
    await source.close();
  }
});
