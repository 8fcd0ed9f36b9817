/**
 * `POST /publish`: one message whose body is its data, or a batch.
 *
 * @module
 */
import { checkChannel } from "../../relay/protocol/channel.ts";
import { MAX_DATA_BYTES } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { AckLevel, Draft, Published } from "../../relay/protocol/upstream.ts";
import { answerJson } from "./answer.ts";
import { decodeText } from "./body.ts";
import type { Core, Handler } from "./core.ts";
import { demandPublish, type Grant } from "./grants.ts";
import { decodePercent, Query, rawPath } from "./query.ts";
import { batch, batchItem, parse, parseJson, present, publishOptions } from "./schema.ts";
import type { PublishOptions } from "./schema.ts";

const PREFIX = "/publish/";
const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";
const BINARY_TYPE = "application/octet-stream";

/** Options by their name in the query, each with the header that wins over it. */
const OPTION_HEADERS = {
  event: "groundwave-event",
  ack: "groundwave-ack",
  after: "groundwave-after",
  order: "groundwave-order",
  key: "idempotency-key",
} as const satisfies Readonly<Record<keyof PublishOptions, string>>;

export function publishHandler(core: Core): Handler {
  return async (c) => {
    core.connections.demandOpen();
    const request = c.req.raw, query = new Query(request.url);
    const channel = channelOf(request.url, query);
    const options = parse(publishOptions, optionsOf(request.headers, query));
    const grant = await core.grants.of(request);
    return channel === undefined
      ? await publishBatch(core, request, grant, options)
      : await publishOne(core, request, grant, { channel, ...options });
  };
}

/** Publishes a draft, counting what becomes of it. @throws {GroundwaveError} */
export async function publish(core: Core, grant: Grant, draft: Draft): Promise<Published> {
  const outcome = await attempt(core, grant, draft);
  if (outcome instanceof GroundwaveError) throw outcome;
  return outcome;
}

/** What became of a message. */
type Outcome = Published | GroundwaveError;

async function attempt(core: Core, grant: Grant, draft: Draft): Promise<Outcome> {
  try {
    demandPublish(grant, draft.channel);
    const published = await core.upstream.publish(draft);
    core.counters.publishes.add(published.ack);
    return published;
  } catch (thrown) {
    const error = GroundwaveError.from(thrown);
    core.counters.publishes.add(error.code);
    return error;
  }
}

async function publishOne(
  core: Core,
  request: Request,
  grant: Grant,
  draft: Omit<Draft, "data">,
): Promise<Response> {
  const binary = mediaType(request) === BINARY_TYPE;
  const published = await core.bodies.use(
    request,
    MAX_DATA_BYTES,
    (body) => publish(core, grant, { ...draft, data: binary ? body : decodeText(body) }),
  );
  return answerJson(published);
}

async function publishBatch(
  core: Core,
  request: Request,
  grant: Grant,
  { ack, ...rest }: PublishOptions,
): Promise<Response> {
  const type = mediaType(request);
  if (type !== JSON_TYPE && type !== NDJSON_TYPE) {
    throw new GroundwaveError(
      "unsupported_media_type",
      `a single message names its channel, a batch is ${JSON_TYPE} or ${NDJSON_TYPE}`,
    );
  }
  const [option] = Object.keys(rest);
  if (option) {
    throw new GroundwaveError("bad_request", `${option} is given by each message of a batch`);
  }
  const results = await core.bodies.use(request, core.limits.batchBytes, async (body) => {
    const { items, ack: level = ack } = readBatch(
      decodeText(body),
      type,
      core.limits.batchMessages,
    );
    // All are on their way before the first is answered; the upstream keeps the order of the calls.
    return await Promise.all(items.map((item) => publishItem(core, grant, item, level)));
  });
  for (const result of results) {
    if (result instanceof GroundwaveError) core.counters.errors.add(result.code);
  }
  return answerJson({ results });
}

/** A message of a batch; reading one that is not even JSON throws. */
type Item = () => unknown;

/** @throws {GroundwaveError} `bad_request`, `too_large` for the batch as a whole. */
function readBatch(text: string, type: string, limit: number): { items: Item[]; ack?: AckLevel } {
  const read = type === JSON_TYPE ? readObject(text) : { items: readLines(text) };
  if (read.items.length > limit) {
    throw new GroundwaveError("too_large", `a batch has at most ${limit} messages`);
  }
  return read;
}

function readObject(text: string): { items: Item[]; ack?: AckLevel } {
  const { messages, ...rest } = parse(batch, parseJson(text));
  return { items: messages.map((message) => () => message), ...rest };
}

function readLines(text: string): Item[] {
  return text.split("\n").filter((line) => line.trim() !== "").map((line) => () => parseJson(line));
}

/** Not asynchronous itself: with a thousand messages on their way, what each of them holds is felt. */
function publishItem(
  core: Core,
  grant: Grant,
  item: Item,
  ack: AckLevel | undefined,
): Outcome | Promise<Outcome> {
  try {
    const draft = parse(batchItem, item());
    return attempt(core, grant, ack === undefined ? draft : { ack, ...draft });
  } catch (thrown) {
    return GroundwaveError.from(thrown);
  }
}

/** The channel of the path or of the query; undefined for a batch. */
function channelOf(url: string, query: Query): string | undefined {
  const path = rawPath(url), named = query.one("channel");
  if (!path.startsWith(PREFIX)) {
    if (named !== undefined) checkChannel(named);
    return named;
  }
  if (named !== undefined) {
    throw new GroundwaveError("bad_request", "the channel is given by path and by query");
  }
  const channel = decodePercent(path.slice(PREFIX.length), "channel_invalid");
  checkChannel(channel);
  return channel;
}

function optionsOf(headers: Headers, query: Query): Record<string, unknown> {
  const options: Record<string, unknown> = {};
  for (const [name, header] of Object.entries(OPTION_HEADERS)) {
    options[name] = headerText(headers.get(header)) ?? query.one(name);
  }
  return present(options);
}

/** A header's UTF-8, which `Headers` shows byte by byte as Latin-1. @throws {GroundwaveError} `encoding_invalid`. */
function headerText(value: string | null): string | undefined {
  // deno-lint-ignore no-control-regex
  if (value === null || /^[\x00-\x7f]*$/.test(value)) return value ?? undefined;
  return decodeText(Uint8Array.from(value, (character) => character.charCodeAt(0)));
}

function mediaType(request: Request): string {
  const type = request.headers.get("content-type") ?? "";
  return (type.split(";")[0] ?? "").trim().toLowerCase();
}
