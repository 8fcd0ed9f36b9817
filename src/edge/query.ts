/**
 * The target of a request, read strictly: URL parsers turn bad escapes into replacement characters, and a router's
 * decoding folds what differs, so both are done here from the raw text.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";

/** The path as it was sent, escapes and all; "/" where there is none, as in `CONNECT h:80` (RFC 9110 §4.2.3). */
export function rawPath(url: string): string {
  const start = authorityEnd(url), end = url.indexOf("?", start);
  return (end < 0 ? url.slice(start) : url.slice(start, end)) || "/";
}

function authorityEnd(url: string): number {
  const start = url.indexOf("://") + 3, slash = url.indexOf("/", start);
  const end = slash < 0 ? url.length : slash, query = url.indexOf("?", start);
  return query < 0 ? end : Math.min(query, end);
}

/** Text with its percent-escapes decoded once. @throws {GroundwaveError} `code` if they are not those of UTF-8. */
export function decodePercent(
  text: string,
  code: "channel_invalid" | "bad_request",
): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new GroundwaveError(code, "a percent-escape is incomplete or not UTF-8");
  }
}

/** The parameters of a request's query (`application/x-www-form-urlencoded`), all values of a name in order. */
export class Query {
  readonly #values = new Map<string, string[]>();

  /** @throws {GroundwaveError} `bad_request` for bad percent-escapes. */
  constructor(url: string) {
    const start = url.indexOf("?", authorityEnd(url));
    if (start < 0) return;
    for (const pair of url.slice(start + 1).split("&")) {
      if (pair === "") continue;
      const equals = pair.indexOf("=");
      const name = unform(equals < 0 ? pair : pair.slice(0, equals));
      const value = equals < 0 ? "" : unform(pair.slice(equals + 1));
      const values = this.#values.get(name);
      if (values) values.push(value);
      else this.#values.set(name, [value]);
    }
  }

  /** The value of `name`; undefined if it is absent. @throws {GroundwaveError} `bad_request` if it is given twice. */
  one(name: string): string | undefined {
    const values = this.#values.get(name);
    if (values === undefined) return undefined;
    if (values.length > 1) throw new GroundwaveError("bad_request", `${name} is given twice`);
    return values[0];
  }

  /** The channels named, each once. @throws {GroundwaveError} `bad_request` if they are more than `limit`. */
  channels(limit: number): string[] {
    const names = [...new Set(this.#values.get("channel"))];
    if (names.length > limit) {
      throw new GroundwaveError("bad_request", `a connection has at most ${limit} channels`);
    }
    return names;
  }
}

function unform(text: string): string {
  return decodePercent(text.replaceAll("+", " "), "bad_request");
}
