/**
 * What the edge takes in: every query, header, batch and WebSocket operation passes one of these schemas.
 *
 * @module
 */
import { z } from "zod";
import { checkChannel, checkEvent, checkKey } from "../../relay/protocol/channel.ts";
import { parseCursor } from "../../relay/protocol/cursor.ts";
import { checkData } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { AckLevel, Draft, Start } from "../../relay/protocol/upstream.ts";
import { fromBase64 } from "./base64.ts";

const MAX_REF_CHARS = 128;
const MAX_WAIT_S = 60;
const DEFAULT_WAIT_S = 25;
const DEFAULT_HISTORY = 100;

/** Text that passes a check of `relay/protocol`, whose error of the table is kept as it is. */
function checked(check: (text: string) => void): z.ZodString {
  return z.string().refine((text) => {
    check(text);
    return true;
  });
}

const channel = checked(checkChannel);
const start = z.string().transform((text): Start => text === "earliest" ? text : parseCursor(text));

const ackLevel = z.enum(["accepted", "replicated", "archived"]);

/** How to publish, whatever the surface. */
const publishFields = {
  event: checked(checkEvent).exactOptional(),
  ack: ackLevel.exactOptional(),
  after: z.string().transform(parseCursor).exactOptional(),
  key: checked(checkKey).exactOptional(),
  order: z.literal("total").exactOptional(),
};

/** A publish whose data stands beside its options: single ones by HTTP. */
export const publishOptions = z.object(publishFields);
export type PublishOptions = z.infer<typeof publishOptions>;

const ACK_LEVELS: ReadonlySet<unknown> = new Set(ackLevel.options);

/** A level or nothing, as most name: the schema would cost as much as all else that is done with a request before its body. */
export function isLevelAlone(
  options: Readonly<Record<string, unknown>>,
): options is { readonly ack?: AckLevel } {
  for (const name in options) if (name !== "ack") return false;
  return options["ack"] === undefined || ACK_LEVELS.has(options["ack"]);
}

const draftFields = {
  ...publishFields,
  channel,
  data: z.unknown().refine((data) => data !== undefined, "is missing"),
  encoding: z.literal("base64").exactOptional(),
};

function toDraft(
  { data, encoding, ...rest }: { channel: string; data: unknown; encoding?: "base64" },
): Draft {
  const carried = encoding === "base64" ? fromBase64(data) : textOf(data);
  checkData(carried);
  return { ...rest, data: carried };
}

/** Data that is not a string travels as its JSON text. */
function textOf(data: unknown): string {
  return typeof data === "string" ? data : JSON.stringify(data);
}

/** A message of a batch. */
export const batchItem = z.object(draftFields).transform(toDraft);

/** A batch, its messages still unread: each succeeds or fails alone. */
export const batch = z.object({ messages: z.array(z.unknown()), ack: publishFields.ack });

/** One operation of a WebSocket. */
const ref = z.union([z.number(), z.string().max(MAX_REF_CHARS)]).exactOptional();
export type Ref = number | string;

const publishOperation = z.object({ op: z.literal("publish"), ref, ...draftFields })
  .transform(({ op, ref, ...draft }) => ({ op, ref, draft: toDraft(draft) }));

export const operation = z.discriminatedUnion("op", [
  z.object({ op: z.literal("subscribe"), ref, channel, after: start.exactOptional() }),
  z.object({ op: z.literal("unsubscribe"), ref, channel }),
  publishOperation,
  z.object({ op: z.literal("ping"), ref }),
]);
export type Operation = z.infer<typeof operation>;

/** The `ref` of an operation that may be bad otherwise. */
export const refOnly = z.object({ ref });

/** What a reader reads, and from where on. */
const readerFields = {
  channels: z.array(channel).min(1, "none is named: add channel=NAME"),
  after: start.default("live"),
};

/** Numbers of a query are digits and nothing else. */
function whole(min: number, max: number, usual: number): z.ZodType<number, string | undefined> {
  return z.string().regex(/^\d{1,9}$/, "a whole number is expected").default(String(usual))
    .transform(Number).pipe(z.number().min(min).max(max));
}

export const socketQuery = z.object({ ...readerFields, channels: z.array(channel) });
export const sseQuery = z.object({
  ...readerFields,
  format: z.enum(["raw", "json"]).exactOptional(),
});
export const pollQuery = z.object({ ...readerFields, wait: whole(0, MAX_WAIT_S, DEFAULT_WAIT_S) });
export const historyQuery = z.object({
  ...readerFields,
  after: start.default("earliest"),
  limit: whole(1, 1000, DEFAULT_HISTORY),
});

/**
 * `input` as `schema` says.
 * @throws {GroundwaveError} what a check of `relay/protocol` threw, else `bad_request` naming the first field at fault.
 */
export function parse<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue?.path.length ? `${issue.path.join(".")}: ` : "";
  throw new GroundwaveError("bad_request", `${where}${issue?.message ?? "invalid input"}`);
}

/** `fields` without those that are undefined, since a schema tells absent from undefined. */
export function present(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/** JSON text as a value. @throws {GroundwaveError} `bad_request`. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new GroundwaveError("bad_request", "not JSON", { cause });
  }
}
