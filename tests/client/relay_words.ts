/**
 * What a relay would say about the channel "news", in short.
 *
 * @module
 */
import { encodeCursor } from "../../relay/protocol/cursor.ts";
import { messageId } from "../../relay/protocol/message.ts";
import { slotOf } from "../../relay/protocol/slot.ts";

export const ORIGIN = "AAAAAAAA";

const SLOT = slotOf("news");

export function idOf(seq: number, origin = ORIGIN): string {
  return messageId({ origin, slot: SLOT, seq });
}

export function cursorOf(seq: number, origin = ORIGIN): string {
  return encodeCursor({ slots: new Map([[SLOT, new Map([[origin, seq]])]]), asOfMs: undefined });
}

export function message(seq: number, more: object = {}): object {
  return { op: "message", channel: "news", id: idOf(seq), data: `${seq}`, time: seq, ...more };
}

export function subscribed(seq: number, { ref }: { ref?: unknown } = {}): object {
  return { op: "subscribed", channel: "news", cursor: cursorOf(seq), recovered: true, ref };
}

export function gap(from: number, to: number): object {
  const missing = [{ origin: ORIGIN, from, to }];
  return { op: "gap", channel: "news", reason: "expired", missing, cursor: cursorOf(to) };
}
