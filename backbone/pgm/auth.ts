/**
 * Authentication by group key: a private option, the first after LENGTH, on every packet of a session.
 *
 * | bytes | AUTH option |
 * | --- | --- |
 * | 0–3 | type, length, OPX byte, key id |
 * | 4–9 | who sent the packet: its GSI, in NAKs and SPMRs too, whose header names the source |
 * | 10–13 | when, in seconds since 1970, by the group's time |
 * | 14–21 | its number, one more with each packet to the group; the first is the start, in microseconds since 1970 |
 * | 22–31 | tag |
 *
 * The tag is the beginning of BLAKE2b(key, filled up with 0 to a block of 128 bytes ‖ group NLA ‖ packet with checksum
 * and tag of 0). That is BLAKE2b's keyed mode, but for the parameter block that says so; BLAKE2 needs no HMAC around
 * it. 80 bits, as in SRTP (RFC 3711 §5.2): who guesses has to send every guess. The option is put on as a packet leaves;
 * what is stored for repairs is without it, so that each RDATA has a number and a tag of its own.
 *
 * A packet is taken if its number is new (`auth_replay.ts`) and it is not older than {@link STALE_MS}, for which time
 * senders are remembered. So nothing is taken twice by a session that goes on; one that begins can be made to take,
 * once, what was recorded in that time before.
 *
 * @module
 */
import type { Credentials, GroupKey } from "./auth_keys.ts";
import { ReplayWindow } from "./auth_replay.ts";
import { seal } from "./encode.ts";
import { LAST_OPTION, LENGTH_BYTES, OPTION } from "./options.ts";
import { readGsi, writeGsi } from "./gsi.ts";
import { bodyBytes, hasOptions, LARGEST_TPDU } from "./packet.ts";

/** Older packets are not taken. Well above what clocks differ and networks delay. */
export const STALE_MS = 60_000;

/** The most senders remembered by a session: several starts of every relay. Only who has the key takes a place. */
export const MOST_SENDERS = 1_024;

/** Offsets in the option. */
const AT = { length: 1, keyId: 3, sender: 4, seconds: 10, counter: 14, tag: 22 } as const;
const TAG_BYTES = 10;
const AUTH_BYTES = AT.tag + TAG_BYTES;

/** What is hashed before the packet: the key's block and the group. */
const BLOCK_BYTES = 128;
const PREFIX_BYTES = BLOCK_BYTES + 4;

const CHECKSUM_AT = 6;

/** Why a packet with a good checksum is not for us. */
export type AuthRefusal =
  /** We have no key, and it was signed with one. */
  | "keyed"
  /** We have a key, and it was not signed. */
  | "unauthenticated"
  | "unknown_key"
  /** The tag is wrong. */
  | "forged"
  | "stale"
  | "replayed"
  /** Too many senders. */
  | "stranger"
  /** Our own, looped back. */
  | "echo";

/** What stands between a session and its sockets. */
export interface Gate {
  /** What {@link sign} adds to a packet, at most. */
  readonly overheadBytes: number;
  /** A packet as it goes out. */
  sign(packet: Uint8Array, nowMs: number): Uint8Array;
  /** Who sent a packet that came in, as far as that is sure. */
  senderOf(bytes: Uint8Array): number | undefined;
  /** Why a well-formed packet may not come in, if so. It changes nothing then. */
  refuse(bytes: Uint8Array, nowMs: number): AuthRefusal | undefined;
}

/** The gate of a session without a key: as any PGM program has it. */
export const OPEN_GATE: Gate = {
  overheadBytes: 0,
  sign: (packet) => packet,
  senderOf: () => undefined,
  refuse: (bytes) => authAt(viewOf(bytes)) === undefined ? undefined : "keyed",
};

interface Sender {
  readonly window: ReplayWindow;
  heardMs: number;
}

export interface AuthenticatorOptions extends Credentials {
  /** Our own GSI. */
  readonly gsi: number;
  readonly groupNla: number;
}

/** The gate of one session with a key. */
export class Authenticator implements Gate {
  readonly overheadBytes = LENGTH_BYTES + AUTH_BYTES;
  readonly #options: AuthenticatorOptions;
  /** By GSI. */
  readonly #senders = new Map<number, Sender>();
  /** What is hashed: key, group, packet. */
  readonly #input = new Uint8Array(PREFIX_BYTES + LARGEST_TPDU);
  readonly #packet = new DataView(this.#input.buffer, PREFIX_BYTES);
  /** Whose block `#input` begins with. */
  #key: GroupKey | undefined;
  #counter: number | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    viewOf(this.#input).setUint32(BLOCK_BYTES, options.groupNla);
  }

  /** @throws {RangeError} if there is no room for the option, or the packet is of a type that has no body of ours. */
  sign(packet: Uint8Array, nowMs: number): Uint8Array {
    const { keys, time, gsi } = this.#options;
    const timeMs = time.at(nowMs);
    const { at, length } = this.#insert(packet);
    const view = this.#packet;
    view.setUint8(at + AT.keyId, keys.signing.id);
    writeGsi(view, at + AT.sender, gsi);
    view.setUint32(at + AT.seconds, Math.floor(timeMs / 1_000));
    this.#counter = this.#counter === undefined ? Math.floor(timeMs * 1_000) : this.#counter + 1;
    writeCounter(view, at + AT.counter, this.#counter);
    const tag = this.#tag(keys.signing, at, length);
    const bytes = this.#input.slice(PREFIX_BYTES, PREFIX_BYTES + length);
    bytes.set(tag.subarray(0, TAG_BYTES), at + AT.tag);
    return seal(bytes, viewOf(bytes));
  }

  refuse(bytes: Uint8Array, nowMs: number): AuthRefusal | undefined {
    const { keys, time, gsi } = this.#options;
    const view = viewOf(bytes), at = authAt(view);
    if (at === undefined || bytes.length > LARGEST_TPDU) return "unauthenticated";
    const from = readGsi(view, at + AT.sender);
    if (from === gsi) return "echo";
    const key = keys.get(view.getUint8(at + AT.keyId));
    if (key === undefined) return "unknown_key";
    const sentMs = 1_000 * view.getUint32(at + AT.seconds);
    if (time.at(nowMs) - sentMs > STALE_MS) return "stale";
    const counter = readCounter(view, at + AT.counter);
    const sender = this.#senders.get(from);
    if (sender?.window.isFresh(counter) === false) return "replayed";
    this.#input.set(bytes, PREFIX_BYTES);
    if (!same(this.#tag(key, at, bytes.length), bytes, at + AT.tag)) return "forged";
    if (sender === undefined && !this.#makeRoom(nowMs)) return "stranger";
    time.hear(sentMs, nowMs);
    this.#take(
      from,
      sender ?? { window: new ReplayWindow(counter), heardMs: nowMs },
      counter,
      nowMs,
    );
    return undefined;
  }

  senderOf(bytes: Uint8Array): number | undefined {
    const view = viewOf(bytes), at = authAt(view);
    return at === undefined ? undefined : readGsi(view, at + AT.sender);
  }

  #take(gsi: number, sender: Sender, counter: number, nowMs: number): void {
    sender.window.take(counter);
    sender.heardMs = nowMs;
    this.#senders.set(gsi, sender);
  }

  /** Whoever was silent for so long can only be replayed by what is stale. */
  #makeRoom(nowMs: number): boolean {
    if (this.#senders.size < MOST_SENDERS) return true;
    for (const [gsi, { heardMs }] of this.#senders) {
      if (nowMs - heardMs > STALE_MS) this.#senders.delete(gsi);
    }
    return this.#senders.size < MOST_SENDERS;
  }

  /** Writes a packet into the input with room for the option; answers where, and how long it is now. */
  #insert(packet: Uint8Array): { at: number; length: number } {
    const from = viewOf(packet), body = bodyBytes(from.getUint8(4));
    if (body === undefined) throw new RangeError("a packet of no known type");
    const view = this.#packet, had = hasOptions(from);
    const at = body + LENGTH_BYTES, rest = packet.subarray(had ? at : body);
    this.#input.set(packet.subarray(0, body), PREFIX_BYTES);
    this.#input.set(rest, PREFIX_BYTES + at + AUTH_BYTES);
    view.setUint8(5, from.getUint8(5) | 0x01);
    view.setUint16(body, LENGTH_BYTES);
    view.setUint16(body + 2, (had ? from.getUint16(body + 2) : LENGTH_BYTES) + AUTH_BYTES);
    view.setUint8(at, had ? OPTION.auth : OPTION.auth | LAST_OPTION);
    view.setUint8(at + AT.length, AUTH_BYTES);
    view.setUint8(at + 2, 0);
    return { at, length: at + AUTH_BYTES + rest.length };
  }

  /** The tag of the packet in the input. */
  #tag(key: GroupKey, at: number, length: number): Uint8Array {
    if (this.#key !== key) {
      this.#input.fill(0, 0, BLOCK_BYTES);
      this.#input.set(key.secret);
      this.#key = key;
    }
    this.#packet.setUint16(CHECKSUM_AT, 0);
    this.#input.fill(0, PREFIX_BYTES + at + AT.tag, PREFIX_BYTES + at + AUTH_BYTES);
    return this.#options.hash(this.#input.subarray(0, PREFIX_BYTES + length));
  }
}

/** Where the option of a well-formed packet is; undefined if it has none. */
function authAt(view: DataView): number | undefined {
  const body = bodyBytes(view.getUint8(4));
  if (body === undefined || !hasOptions(view)) return undefined;
  const at = body + LENGTH_BYTES;
  // What has options has one at least, and its type and length are there.
  const isAuth = (view.getUint8(at) & ~LAST_OPTION) === OPTION.auth;
  return isAuth && view.getUint8(at + AT.length) === AUTH_BYTES ? at : undefined;
}

/** Compares in a time that does not tell where they differ. */
function same(tag: Uint8Array, bytes: Uint8Array, at: number): boolean {
  let differing = 0;
  for (let i = 0; i < TAG_BYTES; i++) differing |= (tag[i] ?? 0) ^ (bytes[at + i] ?? 0);
  return differing === 0;
}

/** 64 bits, of which 53 are used: until the year 2255. */
function writeCounter(view: DataView, at: number, counter: number): void {
  view.setUint32(at, Math.floor(counter / 0x1_0000_0000));
  view.setUint32(at + 4, counter % 0x1_0000_0000);
}

function readCounter(view: DataView, at: number): number {
  return view.getUint32(at) * 0x1_0000_0000 + view.getUint32(at + 4);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
