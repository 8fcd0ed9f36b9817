/**
 * HTTP/1.1 by hand, so that a latency is the server's and not that of `fetch`.
 *
 * @module
 */

const encoder = new TextEncoder();

/** A keep-alive connection that posts one body after the other. */
export class Publisher {
  readonly #connection: Deno.TcpConn;
  readonly #head: string;
  readonly #buffer = new Uint8Array(4096);
  readonly #decoder = new TextDecoder("latin1");

  private constructor(connection: Deno.TcpConn, head: string) {
    this.#connection = connection;
    this.#head = head;
  }

  /** @param type of the bodies. */
  static async open(url: URL, type = "text/plain"): Promise<Publisher> {
    const connection = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
    connection.setNoDelay(true);
    const head = `POST ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n` +
      `Content-Type: ${type}\r\nContent-Length: `;
    return new Publisher(connection, head);
  }

  /** Posts ASCII text. @throws {Error} if the answer is not 200, or refuses an item of a batch. */
  async post(body: string): Promise<void> {
    await this.#write(encoder.encode(`${this.#head}${body.length}\r\n\r\n${body}`));
    const answer = await this.#answer();
    if (!answer.startsWith("HTTP/1.1 200 ") || answer.includes('"error"')) throw new Error(answer);
  }

  close(): void {
    this.#connection.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      rest = rest.subarray(await this.#connection.write(rest));
    }
  }

  async #answer(): Promise<string> {
    for (let text = "";;) {
      const length = await this.#connection.read(this.#buffer);
      if (length === null) throw new Error(`connection closed after: ${text}`);
      text += this.#decoder.decode(this.#buffer.subarray(0, length));
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) continue;
      const size = Number(/\r\ncontent-length: *(\d+)/i.exec(text.slice(0, end + 2))?.[1] ?? 0);
      if (text.length >= end + 4 + size) return text;
    }
  }
}

/**
 * Reads an event stream, calling `take` with the content of each `data:` line. HTTP/1.0 has no chunks, so the body
 * is the stream itself. Resolves once the first block is here; the answer ends it.
 */
export async function readEvents(url: URL, take: (data: string) => void): Promise<() => void> {
  const connection = await Deno.connect({ hostname: url.hostname, port: Number(url.port) });
  connection.setNoDelay(true);
  await connection.write(
    encoder.encode(`GET ${url.pathname}${url.search} HTTP/1.0\r\nHost: ${url.host}\r\n\r\n`),
  );
  const open = Promise.withResolvers<void>();
  const closed = (async () => {
    const buffer = new Uint8Array(65536), decoder = new TextDecoder("latin1");
    let text = "", length: number | null;
    while ((length = await connection.read(buffer)) !== null) {
      text += decoder.decode(buffer.subarray(0, length));
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: ")) take(line.slice(6));
        else if (line.startsWith("retry:")) open.resolve();
      }
    }
    throw new Error(`the stream of ${url} ended`);
  })();
  closed.catch((error) => open.reject(error));
  await open.promise;
  return () => connection.close();
}
