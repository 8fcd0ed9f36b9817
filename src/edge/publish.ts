/**
 * `POST /publish`: one message whose body is its data, or a batch.
 *
 * @module
 */
import { checkChannel } from "../../relay/protocol/channel.ts";
import { MAX_DATA_BYTES } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Draft, Published } from "../../relay/protocol/upstream.ts";
import { answerJson } from "./answer.ts";
import { decodeText, mediaType } from "./body.ts";
import type { Core } from "./core.ts";
import { demandPublish, type Grant } from "./grants.ts";
import { publishBatch } from "./publish_batch.ts";
import { decodePercent, Query, rawPath } from "./query.ts";
import { isLevelAlone, parse, type PublishOptions, publishOptions } from "./schema.ts";

const PREFIX = "/publish/";
const BINARY_TYPE = "application/octet-stream";

/** Options by their name in the query, each with the header that wins over it. */
const OPTION_HEADERS = Object.entries(
  {
    event: "groundwave-event",
    ack: "groundwave-ack",
    after: "groundwave-after",
    order: "groundwave-order",
    key: "idempotency-key",
  } satisfies Readonly<Record<keyof PublishOptions, string>>,
);

export function publishHandler(core: Core): (request: Request) => Promise<Response> {
  return async (request) => {
    core.connections.demandOpen();
    const query = new Query(request.url);
    const channel = channelOf(request.url, query);
    const options = optionsOf(request.headers, query);
    const grant = await core.grants.of(request);
    return channel === undefined
      ? await publishBatch(core, request, grant, options)
      : await publishOne(core, request, grant, { channel, ...options });
  };
}

/** Publishes a draft, counting what becomes of it. @throws {GroundwaveError} */
export async function publish(core: Core, grant: Grant, draft: Draft): Promise<Published> {
  try {
    demandPublish(grant, draft.channel);
    const published = await core.upstream.publish(draft);
    core.counters.publishes.add(published.ack);
    return published;
  } catch (thrown) {
    const error = GroundwaveError.from(thrown);
    core.counters.publishes.add(error.code);
    throw error;
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

/** @throws {GroundwaveError} */
function optionsOf(headers: Headers, query: Query): PublishOptions {
  const options: Record<string, string> = {};
  for (const [name, header] of OPTION_HEADERS) {
    const value = headerText(headers.get(header)) ?? query.one(name);
    if (value !== undefined) options[name] = value;
  }
  return isLevelAlone(options) ? options : parse(publishOptions, options);
}

/** A header's UTF-8, which `Headers` shows byte by byte as Latin-1. @throws {GroundwaveError} `encoding_invalid`. */
function headerText(value: string | null): string | undefined {
  // deno-lint-ignore no-control-regex
  if (value === null || /^[\x00-\x7f]*$/.test(value)) return value ?? undefined;
  return decodeText(Uint8Array.from(value, (character) => character.charCodeAt(0)));
}
