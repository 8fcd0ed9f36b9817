/**
 * The group key as a file, one line per key: `id:secret`, the id a number to 127, the secret 16 to 64 bytes in hex or
 * base64. The first signs, both verify. The file is read again when it has changed.
 *
 * @module
 */
import { hash as digest } from "node:crypto";
import type { Clock } from "./clock.ts";
import { type Credentials, type GroupKey, KeyRing, LARGEST_KEY_ID } from "./pgm/auth_keys.ts";
import { GroupTime } from "./pgm/auth_time.ts";

/** How often the file is looked at. */
export const LOOK_MS = 5_000;

/** How long a file must stay as it is to be read: whoever writes it takes less from one write to the next. */
export const SETTLE_MS = 250;

const SECRET_BYTES = { least: 16, most: 64 };

/** Two: one to go, one to come. */
const MOST_KEYS = 2;

/** Far more than they take. What is longer is no file of keys, and may have no end. */
const MOST_BYTES = 4_096;

type Keys = readonly [GroupKey, ...GroupKey[]];

/** What a reader of the file needs, and whom to tell. */
export interface GroupKeyOptions {
  readonly path: string;
  readonly clock: Clock;
  /** Milliseconds since the epoch, now. */
  readonly wallMs: () => number;
  readonly log: (
    level: "info" | "warn",
    message: string,
    fields: Readonly<Record<string, string | number>>,
  ) => void;
}

/** Keys that follow their file. */
export interface GroupKeyFile {
  readonly credentials: Credentials;
  /** Looks at the file no more. Idempotent. */
  close(): void;
}

/**
 * Opens a file of keys. If it is bad when it is read again, what it said before goes on.
 *
 * @throws {RangeError} if its contents are bad, and whatever reading it fails with.
 */
export async function openGroupKey(options: GroupKeyOptions): Promise<GroupKeyFile> {
  const { path, clock, wallMs } = options;
  const follower = new Follower(options, await modifiedMs(path));
  const keys = new KeyRing(await readKeys(path));
  follower.start(keys);
  const time = new GroupTime(wallMs(), clock.nowMs());
  return { credentials: { keys, time, hash }, close: () => follower.close() };
}

/** BLAKE2b. Its hex text costs half of what the bytes would. */
export function hash(bytes: Uint8Array): Uint8Array {
  return Uint8Array.fromHex(digest("blake2b512", bytes, "hex"));
}

/**
 * Reads the text of a file of keys.
 *
 * @throws {RangeError} that names the line, and never a secret.
 */
export function parseGroupKey(text: string): Keys {
  const lines = text.split("\n").map((line) => line.trim());
  const keys = lines.flatMap((line, index) => line === "" ? [] : [parseKey(line, index + 1)]);
  const [first, ...rest] = keys;
  if (first === undefined) throw new RangeError("there is no key in it");
  if (keys.length > MOST_KEYS) throw new RangeError(`it has more than ${MOST_KEYS} keys`);
  if (rest.some(({ id }) => id === first.id)) throw new RangeError("its keys have the same id");
  return [first, ...rest];
}

function parseKey(line: string, number: number): GroupKey {
  const [, id = "", text = ""] = /^(\d{1,3}):(\S+)$/.exec(line) ?? [];
  const secret = decodeSecret(text);
  if (id === "" || Number(id) > LARGEST_KEY_ID || secret === undefined) {
    const { least, most } = SECRET_BYTES;
    throw new RangeError(
      `line ${number} is not ID:SECRET, an id to ${LARGEST_KEY_ID} and ${least} to ${most} bytes in hex or base64`,
    );
  }
  return { id: Number(id), secret };
}

function decodeSecret(text: string): Uint8Array | undefined {
  try {
    // All digits of hex are digits of base64 too: what can be hex is.
    const secret = /^([0-9a-f]{2})+$/i.test(text)
      ? Uint8Array.fromHex(text)
      : Uint8Array.fromBase64(text);
    const { least, most } = SECRET_BYTES;
    return secret.length >= least && secret.length <= most ? secret : undefined;
  } catch {
    return undefined;
  }
}

async function readKeys(path: string): Promise<Keys> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(MOST_BYTES + 1);
  let length = 0;
  for (let more: number | null = 1; more && length < bytes.length; length += more ?? 0) {
    more = await file.read(bytes.subarray(length));
  }
  if (length > MOST_BYTES) throw new RangeError(`it is longer than ${MOST_BYTES} bytes`);
  return parseGroupKey(new TextDecoder().decode(bytes.subarray(0, length)));
}

async function modifiedMs(path: string): Promise<number> {
  return (await Deno.stat(path)).mtime?.getTime() ?? 0;
}

/**
 * Reads the file again when it has changed and nobody is writing it any more: half of a key may look like one. What cannot
 * be read is tried again, soon and then ever more seldom.
 */
class Follower {
  readonly #options: GroupKeyOptions;
  /** When the file last changed: as it was read, and as it was seen last. */
  #readMs: number;
  #seenMs: number;
  #waitMs = LOOK_MS;
  #isBad = false;
  #cancel = () => {};
  #closed = false;

  constructor(options: GroupKeyOptions, readMs: number) {
    this.#options = options;
    this.#readMs = this.#seenMs = readMs;
  }

  start(keys: KeyRing): void {
    if (this.#closed) return;
    this.#cancel = this.#options.clock.after(this.#waitMs, () => void this.#look(keys));
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  async #look(keys: KeyRing): Promise<void> {
    try {
      this.#waitMs = await this.#follow(keys) ? LOOK_MS : SETTLE_MS;
    } catch (error) {
      this.#waitMs = this.#isBad ? Math.min(2 * this.#waitMs, LOOK_MS) : SETTLE_MS;
      this.#complain(error);
    }
    this.start(keys);
  }

  /** Reads the file if it has changed; false: it may change further. */
  async #follow(keys: KeyRing): Promise<boolean> {
    const { path, log } = this.#options;
    const changedMs = await modifiedMs(path), isSettled = changedMs === this.#seenMs;
    this.#seenMs = changedMs;
    if (changedMs === this.#readMs) return true;
    if (!isSettled) return false;
    keys.replace(await readKeys(path));
    this.#readMs = changedMs;
    this.#isBad = false;
    log("info", "group key read again", { path, signing: keys.signing.id });
    return true;
  }

  #complain(error: unknown): void {
    const { path, log } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    if (!this.#isBad) {
      log("warn", "the group key file is bad, its last good keys go on", { path, reason });
    }
    this.#isBad = true;
  }
}
