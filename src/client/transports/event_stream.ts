/**
 * The text of an event stream, read as it comes (HTML standard, "Server-sent events").
 *
 * @module
 */

/** A block of the stream. `data` is undefined where the block has none, such as one that only tells an id. */
export interface StreamBlock {
  readonly event: string;
  readonly data: string | undefined;
  readonly id: string | undefined;
}

/** Characters of one block at most; a message of 1 MiB has up to six times as many in JSON. */
const MAX_CHARS = 8 * 1024 * 1024;

/** A push parser: text in, in any pieces; whole blocks out. */
export class EventStreamParser {
  #rest = "";
  #size = 0;
  #event = "message";
  #data: string[] = [];
  #id: string | undefined;

  /** Blocks that `text` completes. @throws {RangeError} if a block is over 8 Mi characters. */
  push(text: string): StreamBlock[] {
    const blocks: StreamBlock[] = [];
    // A CR at the end waits for the LF that may follow.
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#dispatch(blocks);
      else this.#field(line);
    }
    if (this.#size + this.#rest.length > MAX_CHARS) throw new RangeError("a block is too long");
    return blocks;
  }

  #field(line: string): void {
    this.#size += line.length;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value || "message";
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }

  #dispatch(blocks: StreamBlock[]): void {
    const data = this.#data.length > 0 ? this.#data.join("\n") : undefined;
    if (data !== undefined || this.#id !== undefined) {
      blocks.push({ event: this.#event, data, id: this.#id });
    }
    this.#event = "message";
    this.#data = [];
    this.#id = undefined;
    this.#size = 0;
  }
}
