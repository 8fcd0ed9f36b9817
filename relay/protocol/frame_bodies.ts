/**
 * The bodies of frames that come in one piece, read and checked as if a stranger had sent them.
 *
 * @module
 */
import {
  checkChannel,
  checkEvent,
  checkKey,
  isName,
  MAX_CHANNEL_BYTES,
  MAX_NAME_BYTES,
} from "./channel.ts";
import { MAX_DATA_BYTES } from "./data.ts";
import { type ErrorCode, ERRORS } from "./errors.ts";
import {
  type Bye,
  type Credit,
  type Failed,
  type Frame,
  FRAME_TAGS,
  type Held,
  type Hello,
  NONCE_BYTES,
  type OriginsFrame,
  type Proof,
  type Publish,
  type PublishedFrame,
  type PullDone,
  type TableFrame,
} from "./frames.ts";
import { type Origin, parseMessageId, type Seq } from "./message.ts";
import { add } from "./parts.ts";
import { SLOT_COUNT, slotOf } from "./slot.ts";
import type { AckLevel, Draft } from "./upstream.ts";
import { DecodeError, MAX_GROUP, MAX_UINT32, type WireReader } from "./wire.ts";

const MAX_KEY_ID = 127;
/** HMAC-SHA-256. */
const MAC_BYTES = 32;
const MAX_TEXT_BYTES = 1024;
const ACK_LEVELS: readonly string[] = ["accepted", "replicated", "archived"] satisfies AckLevel[];

/** Reads a frame that comes in one piece. Undefined for a kind that is not one. @throws {DecodeError} */
export function readWhole(tag: number, reader: WireReader): Frame | undefined {
  switch (tag) {
    case FRAME_TAGS.hello:
      return readHello(reader);
    case FRAME_TAGS.proof:
      return readProof(reader);
    case FRAME_TAGS.bye:
      return readBye(reader);
    case FRAME_TAGS.origins:
      return readOrigins(reader);
    case FRAME_TAGS.credit:
      return readCredit(reader);
    case FRAME_TAGS.pull_done:
      return readPullDone(reader);
    case FRAME_TAGS.held:
      return readHeld(reader);
    case FRAME_TAGS.publish:
      return readPublish(reader);
    case FRAME_TAGS.published:
      return readPublished(reader);
    case FRAME_TAGS.failed:
      return readFailed(reader);
    case FRAME_TAGS.ping:
      return { type: "ping", id: readId(reader) };
    case FRAME_TAGS.pong:
      return { type: "pong", id: readId(reader) };
    case FRAME_TAGS.table_ask:
      return { type: "table_ask", id: readId(reader) };
    case FRAME_TAGS.table:
      return readTable(reader);
  }
  return undefined;
}

/** Reads a body: answers its id, which is field 1, and hands the other fields to `field`. */
export function readId(reader: WireReader, field?: (tag: number) => void): number {
  let id = 0;
  reader.nested((tag) => {
    if (tag === 1) id = reader.uint(MAX_UINT32);
    else field?.(tag);
  });
  return id;
}

function readHello(reader: WireReader): Hello {
  let version = 0, node = "";
  let origin: Origin | undefined, nonce: Uint8Array | undefined;
  reader.nested((tag) => {
    if (tag === 1) version = reader.uint(MAX_UINT32);
    else if (tag === 2) origin = reader.origin();
    else if (tag === 3) node = reader.text(MAX_NAME_BYTES);
    else if (tag === 4) nonce = readExactly(reader, NONCE_BYTES);
  });
  if (origin === undefined) throw new DecodeError("it names no origin");
  checkText(node, MAX_NAME_BYTES);
  return { type: "hello", version, origin, node, ...(nonce && { nonce }) };
}

function readProof(reader: WireReader): Proof {
  let keyId = 0;
  let mac: Uint8Array | undefined;
  reader.nested((tag) => {
    if (tag === 1) keyId = reader.uint(MAX_KEY_ID);
    else if (tag === 2) mac = readExactly(reader, MAC_BYTES);
  });
  if (!mac) throw new DecodeError("a proof proves nothing");
  return { type: "proof", keyId, mac };
}

function readExactly(reader: WireReader, length: number): Uint8Array {
  const bytes = reader.blob(length);
  if (bytes.length !== length) throw new DecodeError("a value has the wrong length");
  return bytes;
}

function readBye(reader: WireReader): Bye {
  let reason = "", fault = false;
  reader.nested((tag) => {
    if (tag === 1) reason = reader.text(MAX_TEXT_BYTES);
    else if (tag === 2) fault = reader.uint(1) === 1;
  });
  checkText(reason, MAX_TEXT_BYTES);
  return { type: "bye", reason, fault };
}

function readOrigins(reader: WireReader): OriginsFrame {
  const ages = new Map<Origin, number>();
  reader.nested((tag) => {
    if (tag === 1) reader.position(ages);
  });
  return { type: "origins", heard: [...ages].map(([origin, ageMs]) => ({ origin, ageMs })) };
}

function readTable(reader: WireReader): TableFrame {
  let epoch = 0;
  let entries: Uint8Array | undefined;
  const id = readId(reader, (tag) => {
    if (tag === 2) epoch = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 3) entries = readExactly(reader, 2 * SLOT_COUNT);
  });
  if (!entries) throw new DecodeError("a table has no entries");
  return { type: "table", id, epoch, entries };
}

function readCredit(reader: WireReader): Credit {
  let bytes = 0;
  reader.nested((tag) => {
    if (tag === 1) bytes = reader.uint(MAX_UINT32);
  });
  return { type: "credit", bytes };
}

function readPullDone(reader: WireReader): PullDone {
  const positions = new Map<number, number>();
  const id = readId(reader, (tag) => {
    if (tag !== 2) return;
    let group = 0, position = 0;
    reader.nested((tag) => {
      if (tag === 1) group = reader.uint(MAX_GROUP);
      else if (tag === 2) position = reader.uint(MAX_UINT32);
    });
    add(positions, new Map([[group, position]]));
  });
  return { type: "pull_done", id, positions };
}

function readHeld(reader: WireReader): Held {
  let held = false;
  const id = readId(reader, (tag) => {
    if (tag === 2) held = reader.uint(1) === 1;
  });
  return { type: "held", id, held };
}

function readPublish(reader: WireReader): Publish {
  let draft: Draft | undefined;
  const id = readId(reader, (tag) => {
    if (tag === 2) draft = readDraft(reader);
  });
  if (!draft) throw new DecodeError("nothing is to be published");
  return { type: "publish", id, draft };
}

function readDraft(reader: WireReader): Draft {
  let channel = "", event: string | undefined, key: string | undefined;
  let data: string | Uint8Array | undefined;
  let order: "total" | undefined, ack: AckLevel | undefined;
  const after = new Map<Origin, Seq>();
  reader.nested((tag) => {
    if (tag === 1) channel = reader.text(MAX_CHANNEL_BYTES);
    else if (tag === 2) data = reader.text(MAX_DATA_BYTES);
    else if (tag === 3) data = reader.blob(MAX_DATA_BYTES);
    else if (tag === 4) event = reader.text(MAX_NAME_BYTES);
    else if (tag === 5) reader.position(after);
    else if (tag === 6) key = reader.text(MAX_NAME_BYTES);
    else if (tag === 7) order = readOrder(reader);
    else if (tag === 8) ack = ackLevel(reader.text(MAX_NAME_BYTES));
  });
  checkChannel(channel);
  if (data === undefined) throw new DecodeError("a draft carries no data");
  if (event !== undefined) checkEvent(event);
  if (key !== undefined) checkKey(key);
  return {
    channel,
    data,
    ...(event !== undefined && { event }),
    ...(after.size > 0 &&
      { after: { slots: new Map([[slotOf(channel), after]]), asOfMs: undefined } }),
    ...(key !== undefined && { key }),
    ...(order !== undefined && { order }),
    ...(ack !== undefined && { ack }),
  };
}

function readOrder(reader: WireReader): "total" {
  const order = reader.text(MAX_NAME_BYTES);
  if (order !== "total") throw new DecodeError("not an order");
  return order;
}

function readPublished(reader: WireReader): PublishedFrame {
  let messageId = "", channel = "", ack: AckLevel | undefined;
  const id = readId(reader, (tag) => {
    if (tag === 2) messageId = reader.text(MAX_NAME_BYTES);
    else if (tag === 3) channel = reader.text(MAX_CHANNEL_BYTES);
    else if (tag === 4) ack = ackLevel(reader.text(MAX_NAME_BYTES));
  });
  if (!parseMessageId(messageId)) throw new DecodeError("it names no message");
  checkChannel(channel);
  if (!ack) throw new DecodeError("it names no level");
  return { type: "published", id, published: { id: messageId, channel, ack } };
}

function ackLevel(text: string): AckLevel {
  if (!ACK_LEVELS.includes(text)) throw new DecodeError("not a level");
  return text as AckLevel;
}

function readFailed(reader: WireReader): Failed {
  let code = "", message = "", retryAfterS: number | undefined;
  const id = readId(reader, (tag) => {
    if (tag === 2) code = reader.text(MAX_NAME_BYTES);
    else if (tag === 3) message = reader.text(MAX_TEXT_BYTES);
    else if (tag === 4) retryAfterS = reader.uint(MAX_UINT32);
  });
  if (!Object.hasOwn(ERRORS, code)) throw new DecodeError("not an error of the table");
  checkText(message, MAX_TEXT_BYTES);
  return {
    type: "failed",
    id,
    code: code as ErrorCode,
    message,
    ...(retryAfterS !== undefined && { retryAfterS }),
  };
}

function checkText(text: string, maxBytes: number): void {
  if (isName(text, maxBytes)) return;
  throw new DecodeError("a text is empty, too long or has control characters");
}
