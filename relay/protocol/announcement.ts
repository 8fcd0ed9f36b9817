/**
 * What a relay tells the LAN about itself on the control group (`Announcement` of `groundwave.proto`).
 *
 * @module
 */
import { isName, MAX_NAME_BYTES } from "./channel.ts";
import type { Origin } from "./message.ts";
import { DecodeError, decoding, MAX_GROUP, MAX_UINT32, WireReader, WireWriter } from "./wire.ts";

/** Multicast, alone in its payload. */
export interface Announcement {
  readonly origin: Origin;
  /** Version of the session protocol that it speaks. */
  readonly version: number;
  /** The relay's name, for people. */
  readonly node: string;
  readonly region: string;
  /** Where it accepts peer sessions. */
  readonly host: string;
  readonly port: number;
  /** The groups it hears. */
  readonly groups: readonly number[];
  /** Groups of which it has anything in its logs. */
  readonly holds: readonly number[];
  /** Groups of which it is a ready custodian. */
  readonly ready: readonly number[];
  /** Groups of which it was one, and may become one again or waits for others to be. */
  readonly kept: readonly number[];
  /** Whom it hears by multicast. */
  readonly hears: readonly Origin[];
  /** Of its table of slots and groups. */
  readonly tableEpoch: number;
  /** Of what that table says; 32 bits. */
  readonly tableHash: number;
  /** Messages published here per second, rounded. */
  readonly load: number;
  /** Its time of day, in milliseconds since 1970. */
  readonly timeMs: number;
  /** It asks everybody to announce themselves now. */
  readonly solicit: boolean;
  /** Goodbye: it is about to close. */
  readonly leaving: boolean;
}

const MAX_PORT = 0xffff;

/** Entries of each of its lists at most. */
const MAX_LISTED = 4096;

/** Encodes an announcement whose names were checked at start. */
export function encodeAnnouncement(announcement: Announcement): Uint8Array<ArrayBuffer> {
  const writer = new WireWriter(128);
  writer.origin(1, announcement.origin);
  writer.text(2, announcement.node);
  writer.text(3, announcement.region);
  writer.text(4, announcement.host);
  writer.writeVarintField(5, announcement.port);
  writer.writePackedVarint(6, [...announcement.groups]);
  writer.writeVarintField(7, announcement.tableEpoch);
  if (announcement.solicit) writer.writeBooleanField(8, true);
  for (const origin of announcement.hears) writer.origin(9, origin);
  writer.writePackedVarint(10, [...announcement.holds]);
  writer.writePackedVarint(11, [...announcement.ready]);
  writer.writeVarintField(12, announcement.tableHash);
  writer.writeVarintField(13, announcement.load);
  if (announcement.leaving) writer.writeBooleanField(14, true);
  writer.writeVarintField(15, announcement.version);
  writer.writeVarintField(16, announcement.timeMs);
  writer.writePackedVarint(17, [...announcement.kept]);
  return writer.bytes();
}

const VALUES = ["version", "node", "region", "host", "port", "tableEpoch", "tableHash"] as const;
const LISTS = ["groups", "holds", "ready", "kept", "hears"] as const;

/** Whether two announcements say the same of a relay, but for what changes all the time: its load and time of day. */
export function saySame(one: Announcement, other: Announcement): boolean {
  return VALUES.every((key) => one[key] === other[key]) && LISTS.every((key) => {
    const list = one[key], others = other[key];
    return list.length === others.length && list.every((entry, at) => entry === others[at]);
  });
}

/** @throws {DecodeError} */
export function decodeAnnouncement(bytes: Uint8Array): Announcement {
  return decoding("an announcement", () => {
    const draft = new AnnouncementDraft();
    const reader = new WireReader(bytes);
    reader.fields((tag) => draft.read(tag, reader));
    return draft.finish();
  });
}

/** An announcement while its fields come in, in any order. */
class AnnouncementDraft {
  #origin: Origin | undefined;
  readonly #names = { node: "", region: "", host: "" };
  readonly #numbers = { port: 0, tableEpoch: 0, tableHash: 0, load: 0, version: 0, timeMs: 0 };
  readonly #flags = { solicit: false, leaving: false };
  readonly #groups: number[] = [];
  readonly #holds: number[] = [];
  readonly #ready: number[] = [];
  readonly #kept: number[] = [];
  readonly #hears: Origin[] = [];

  read(tag: number, reader: WireReader): void {
    const names = this.#names, numbers = this.#numbers, flags = this.#flags;
    if (tag === 1) this.#origin = reader.origin();
    else if (tag === 2) names.node = reader.text(MAX_NAME_BYTES);
    else if (tag === 3) names.region = reader.text(MAX_NAME_BYTES);
    else if (tag === 4) names.host = reader.text(MAX_NAME_BYTES);
    else if (tag === 5) numbers.port = reader.uint(MAX_PORT);
    else if (tag === 6) reader.uints(MAX_GROUP, this.#groups);
    else if (tag === 7) numbers.tableEpoch = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 8) flags.solicit = reader.uint(1) === 1;
    else if (tag === 9) this.#hears.push(reader.origin());
    else if (tag === 10) reader.uints(MAX_GROUP, this.#holds);
    else if (tag === 11) reader.uints(MAX_GROUP, this.#ready);
    else if (tag === 12) numbers.tableHash = reader.uint(MAX_UINT32);
    else if (tag === 13) numbers.load = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 14) flags.leaving = reader.uint(1) === 1;
    else if (tag === 15) numbers.version = reader.uint(MAX_UINT32);
    else if (tag === 16) numbers.timeMs = reader.uint(Number.MAX_SAFE_INTEGER);
    else if (tag === 17) reader.uints(MAX_GROUP, this.#kept);
  }

  finish(): Announcement {
    if (this.#origin === undefined) throw new DecodeError("it names no origin");
    if (this.#numbers.port === 0) throw new DecodeError("it names no port");
    for (const name of Object.values(this.#names)) {
      if (isName(name, MAX_NAME_BYTES)) continue;
      throw new DecodeError("a name is empty or has control characters");
    }
    const lists = {
      groups: this.#groups,
      holds: this.#holds,
      ready: this.#ready,
      kept: this.#kept,
      hears: this.#hears,
    };
    for (const list of Object.values(lists)) {
      if (list.length > MAX_LISTED) throw new DecodeError("a list is too long");
    }
    return { origin: this.#origin, ...this.#names, ...this.#numbers, ...this.#flags, ...lists };
  }
}
