/**
 * Request bodies, read within bounds: of one body, of all bodies together, and of time. Runtimes set none of these.
 *
 * @module
 */
import { concat } from "../../relay/protocol/bytes.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import { decodeUtf8 } from "../../relay/protocol/utf8.ts";
import type { Host } from "./host.ts";
import type { Limits } from "./limits.ts";

/**
 * Up to this declared length a body is read in one go and without a timer, which would cost more than the reading: one
 * that never comes holds no more than any idle connection.
 */
const SMALL_BYTES = 64 * 1024;

/** What one body takes of the bound of all. */
interface Claim {
  bytes: number;
  /** Ends the wait for it. */
  giveUp(error: GroundwaveError): void;
}

export class BodyReader {
  readonly #host: Host;
  readonly #limits: Limits;
  #heldBytes = 0;
  /** Those that have begun to arrive, the one that has stood still longest first. */
  readonly #arriving = new Set<Claim>();

  constructor(host: Host, limits: Limits) {
    this.#host = host;
    this.#limits = limits;
  }

  /**
   * Reads the body and hands it to `use`; until that is done its bytes count among those held. Where all bodies come to
   * too much, those give way that stand still: else a few clients who never finish theirs would keep out everybody.
   *
   * @throws {GroundwaveError} `too_large` over `limitBytes`, `rate_limited` if too much is held already or it gave way,
   * `bad_request` if the body breaks off or is late, `unsupported_media_type` if it is compressed.
   */
  async use<T>(
    request: Request,
    limitBytes: number,
    use: (body: Uint8Array<ArrayBuffer>) => T | Promise<T>,
  ): Promise<T> {
    const declared = declaredBytes(request);
    if (declared !== undefined && declared > limitBytes) throw tooLarge(limitBytes);
    const encoding = request.headers.get("content-encoding");
    if (encoding !== null && !/^\s*(identity)?\s*$/i.test(encoding)) {
      throw new GroundwaveError("unsupported_media_type", "bodies are taken uncompressed only");
    }
    const claim: Claim = { bytes: 0, giveUp() {} };
    try {
      return await use(await this.#read(request, declared, limitBytes, claim));
    } finally {
      this.#release(claim);
    }
  }

  async #read(
    request: Request,
    declared: number | undefined,
    limitBytes: number,
    claim: Claim,
  ): Promise<Uint8Array<ArrayBuffer>> {
    if (declared !== undefined && declared <= SMALL_BYTES) {
      const body = await request.arrayBuffer().catch(brokeOff);
      this.#claim(claim, body.byteLength);
      return new Uint8Array(body);
    }
    if (request.body === null) return new Uint8Array();
    const reader = request.body.getReader(), chunks: Uint8Array[] = [];
    const reading = async () => {
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        if (claim.bytes + next.value.length > limitBytes) throw tooLarge(limitBytes);
        this.#arriving.delete(claim);
        this.#arriving.add(claim);
        this.#claim(claim, next.value.length);
        chunks.push(next.value);
      }
      return concat(chunks);
    };
    const letGo = () => void reader.cancel().catch(() => {});
    return await this.#whole(reading(), claim, letGo);
  }

  #claim(claim: Claim, bytes: number): void {
    while (this.#heldBytes + bytes > this.#limits.bodiesBytes) this.#makeRoom(claim);
    this.#heldBytes += bytes;
    claim.bytes += bytes;
  }

  /** @throws {GroundwaveError} `rate_limited` if nobody has stood still longer than the one who asks. */
  #makeRoom(asking: Claim): void {
    const error = new GroundwaveError("rate_limited", "too much is being published at this moment");
    const [stillest] = this.#arriving;
    if (stillest === undefined || stillest === asking) throw error;
    this.#release(stillest);
    stillest.giveUp(error);
  }

  #release(claim: Claim): void {
    this.#arriving.delete(claim);
    this.#heldBytes -= claim.bytes;
    claim.bytes = 0;
  }

  /** Waits for a body, but not for ever; `letGo` is called when it is given up. */
  async #whole<T>(reading: Promise<T>, claim: Claim, letGo: () => void): Promise<T> {
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      claim.giveUp = reject;
      cancel = this.#host.after(this.#limits.bodyMs, () => {
        const seconds = this.#limits.bodyMs / 1000;
        reject(new GroundwaveError("bad_request", `the body took longer than ${seconds} s`));
      });
    });
    try {
      return await Promise.race([reading, late]);
    } catch (cause) {
      letGo();
      return cause instanceof GroundwaveError ? Promise.reject(cause) : brokeOff(cause);
    } finally {
      cancel();
      this.#arriving.delete(claim);
    }
  }
}

/** Bytes as text. @throws {GroundwaveError} `encoding_invalid`. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw new GroundwaveError(
      "encoding_invalid",
      "not UTF-8; send binary data as application/octet-stream",
    );
  }
}

/** What a request says that its body is, without parameters. */
export function mediaType(request: Request): string {
  const type = request.headers.get("content-type") ?? "";
  return (type.split(";")[0] ?? "").trim().toLowerCase();
}

function brokeOff(cause: unknown): never {
  throw new GroundwaveError("bad_request", "the body broke off", { cause });
}

function declaredBytes(request: Request): number | undefined {
  const declared = request.headers.get("content-length");
  return declared === null ? undefined : Number(declared);
}

function tooLarge(limitBytes: number): GroundwaveError {
  return new GroundwaveError("too_large", `the body is over ${limitBytes} bytes`);
}
