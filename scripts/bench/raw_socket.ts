/**
 * A WebSocket by hand, so that a bench spends its time on the servers: it counts what comes, or takes messages apart.
 *
 * @module
 */

const encoder = new TextEncoder(), decoder = new TextDecoder();
const BUFFER_BYTES = 64 * 1024;
/** RFC 6455 §5.2: a final text frame. */
const TEXT = 0x81;

export interface RawSocket {
  /** Sends a text of up to 65535 bytes. */
  send(text: string): Promise<void>;
  close(): void;
}

/**
 * Opens a WebSocket; `take` gets the bytes of the server's frames, headers and all, as they come.
 *
 * @throws {Error} if the server refuses.
 */
export async function openSocket(
  url: URL,
  take: (bytes: Uint8Array) => void,
): Promise<RawSocket> {
  const connection = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
  connection.setNoDelay(true);
  await connection.write(encoder.encode(
    `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\n` +
      "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ));
  const buffer = new Uint8Array(BUFFER_BYTES);
  const head = await readHead(connection, buffer).catch((error) => {
    connection.close();
    throw error;
  });
  void (async () => {
    let rest: Uint8Array | undefined = head;
    while (rest) {
      if (rest.length > 0) take(rest);
      // A socket that its owner closes ends so, too.
      const length = await connection.read(buffer).catch(() => null);
      rest = length === null ? undefined : buffer.subarray(0, length);
    }
  })();
  return {
    async send(text) {
      await connection.write(frame(encoder.encode(text)));
    },
    close: () => connection.close(),
  };
}

/** Reads the answer to the handshake; answers what came after it. */
async function readHead(connection: Deno.TcpConn, buffer: Uint8Array): Promise<Uint8Array> {
  for (let filled = 0;;) {
    const length = await connection.read(buffer.subarray(filled));
    if (length === null) throw new Error("the server closed the connection");
    filled += length;
    const text = decoder.decode(buffer.subarray(0, filled)), end = text.indexOf("\r\n\r\n");
    if (end < 0) continue;
    if (!text.startsWith("HTTP/1.1 101 ")) throw new Error(text);
    return buffer.slice(encoder.encode(text.slice(0, end + 4)).length, filled);
  }
}

/** A client's frame is masked (RFC 6455 §5.3); a mask of zeros leaves the payload as it is. */
function frame(payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const head = length < 126
    ? [TEXT, 0x80 | length, 0, 0, 0, 0]
    : [TEXT, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  bytes.set(payload, head.length);
  return bytes;
}

/** Takes a server's frames apart, in any pieces; `take` gets each one's text. */
export class FrameReader {
  readonly #take: (text: string) => void;
  #rest = new Uint8Array(0);

  constructor(take: (text: string) => void) {
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    let rest: Uint8Array = bytes;
    if (this.#rest.length > 0) {
      rest = new Uint8Array(this.#rest.length + bytes.length);
      rest.set(this.#rest);
      rest.set(bytes, this.#rest.length);
    }
    for (let size; (size = frameSize(rest)) && rest.length >= size.head + size.payload;) {
      const end = size.head + size.payload;
      this.#take(decoder.decode(rest.subarray(size.head, end)));
      rest = rest.subarray(end);
    }
    this.#rest = rest.slice();
  }
}

/** RFC 6455 §5.2; undefined while its head is not whole. A server does not mask. */
function frameSize(
  bytes: Uint8Array,
): { readonly head: number; readonly payload: number } | undefined {
  const short = (bytes[1] ?? 0) & 0x7f, head = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < head) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  if (head === 2) return { head, payload: short };
  return { head, payload: head === 4 ? view.getUint16(2) : Number(view.getBigUint64(2)) };
}

/** Counts a byte in the payloads of a server's frames, in any pieces: a head may have any byte in it. */
export class ByteCounter {
  readonly #byte: number;
  readonly #counted: (times: number) => void;
  /** What is there of a head. */
  #head: number[] = [];
  /** Bytes of the payload to come. */
  #left = 0;

  constructor(byte: number, counted: (times: number) => void) {
    this.#byte = byte;
    this.#counted = counted;
  }

  push(bytes: Uint8Array): void {
    let times = 0;
    for (let at = 0; at < bytes.length;) {
      if (this.#left > 0) {
        const payload = bytes.subarray(at, at + this.#left);
        times += occurrences(payload, this.#byte);
        at += payload.length;
        this.#left -= payload.length;
        continue;
      }
      this.#head.push(bytes[at++] ?? 0);
      const size = frameSize(Uint8Array.from(this.#head));
      if (this.#head.length < 2 || !size) continue;
      this.#left = size.payload;
      this.#head = [];
    }
    if (times > 0) this.#counted(times);
  }
}

function occurrences(bytes: Uint8Array, byte: number): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at >= 0; at = bytes.indexOf(byte, at + 1)) count++;
  return count;
}
