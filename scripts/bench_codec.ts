/**
 * `deno bench -A scripts/bench_codec.ts`: what the hot paths of the protocol cost.
 *
 * @module
 */
import { checkChannel } from "../relay/protocol/channel.ts";
import { decodeMessage, encodeMessage } from "../relay/protocol/codec.ts";
import { encodeCursor, parseCursor } from "../relay/protocol/cursor.ts";
import type { Message } from "../relay/protocol/message.ts";
import { slotOf } from "../relay/protocol/slot.ts";

const channel = "news.sports.football.2";
const message: Message = {
  slot: slotOf(channel),
  origin: "q83vASNF",
  seq: 12345,
  channel,
  data: "x".repeat(180),
  timeMs: 1_800_000_000_000,
  region: "local",
};

const messages: Readonly<Record<string, Message>> = {
  "240 B of text": message,
  "240 B of text beyond ASCII": { ...message, data: "é".repeat(90) },
  "240 B of binary": { ...message, data: new Uint8Array(180) },
  "1 MiB of text": { ...message, data: "x".repeat(1024 * 1024) },
};

for (const [name, value] of Object.entries(messages)) {
  const bytes = encodeMessage(value);
  Deno.bench(`encode ${name}`, () => void encodeMessage(value));
  Deno.bench(`decode ${name}`, () => void decodeMessage(bytes));
}

const ORIGINS = ["q83vASNF", "AAAAAAAB", "AAAAAAAC"];
const cursorOf = (slots: number, origins: number) => ({
  slots: new Map(
    Array.from({ length: slots }, (_, at) => [
      at * 16,
      new Map(ORIGINS.slice(0, origins).map((origin, index) => [origin, 1000 * index + at])),
    ]),
  ),
  asOfMs: 1_800_000_000_000,
});

for (const [slots, origins] of [[1, 1], [1, 3], [1000, 1], [1000, 3]] as const) {
  const cursor = cursorOf(slots, origins);
  const text = encodeCursor(cursor);
  const name = `cursor of ${slots} × ${origins} places, ${text.length} characters`;
  Deno.bench(`encode ${name}`, () => void encodeCursor(cursor));
  Deno.bench(`parse ${name}`, () => void parseCursor(text));
}

Deno.bench("slot of a channel", () => void slotOf(channel));
Deno.bench("check a channel", () => checkChannel(channel));
