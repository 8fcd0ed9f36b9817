/**
 * `POST /publish` without a channel: a batch, in which each message succeeds or fails for itself.
 *
 * @module
 */
import { checkChannel } from "../../relay/protocol/channel.ts";
import { checkData } from "../../relay/protocol/data.ts";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { AckLevel, Draft, Outcome } from "../../relay/protocol/upstream.ts";
import { answerJson } from "./answer.ts";
import { decodeText, mediaType } from "./body.ts";
import type { Core } from "./core.ts";
import { demandPublish, type Grant } from "./grants.ts";
import { batch, batchItem, parse, parseJson, type PublishOptions } from "./schema.ts";

const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";

/** @throws {GroundwaveError} for the batch as a whole. */
export async function publishBatch(
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
  const { batchBytes, batchMessages } = core.limits;
  const results = await core.bodies.use(request, batchBytes, async (body) => {
    const { items, ack: level = ack } = readBatch(decodeText(body), type, batchMessages);
    return await publishAll(core, items.map((item) => readItem(grant, item, level)));
  });
  count(core, results);
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

/** What is to be published, or why it cannot be. */
function readItem(grant: Grant, item: Item, ack: AckLevel | undefined): Draft | GroundwaveError {
  try {
    const draft = draftOf(item());
    demandPublish(grant, draft.channel);
    return ack === undefined || draft.ack ? draft : { ...draft, ack };
  } catch (thrown) {
    return GroundwaveError.from(thrown);
  }
}

/** @throws {GroundwaveError} */
function draftOf(item: unknown): Draft {
  if (!isPlain(item)) return parse(batchItem, item);
  checkChannel(item.channel);
  checkData(item.data);
  return item;
}

/** A channel and text, as most are: the schema would cost more than all else that is done with them here. */
function isPlain(item: unknown): item is { readonly channel: string; readonly data: string } {
  if (typeof item !== "object" || item === null) return false;
  for (const name in item) if (name !== "channel" && name !== "data") return false;
  const { channel, data } = item as { readonly channel?: unknown; readonly data?: unknown };
  return typeof channel === "string" && typeof data === "string";
}

/** What becomes of each, in their order. */
async function publishAll(
  { upstream }: Core,
  read: readonly (Draft | GroundwaveError)[],
): Promise<Outcome[]> {
  const drafts = read.filter((one): one is Draft => !(one instanceof GroundwaveError));
  const outcomes = [...await upstream.publishAll(drafts)];
  for (const [i, one] of read.entries()) {
    if (one instanceof GroundwaveError) outcomes.splice(i, 0, one);
  }
  return outcomes;
}

function count({ counters }: Core, outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) {
    const failed = outcome instanceof GroundwaveError;
    counters.publishes.add(failed ? outcome.code : outcome.ack);
    if (failed) counters.errors.add(outcome.code);
  }
}
