import assert from "node:assert/strict";
import { EventStreamParser, type StreamBlock } from "../../src/client/transports/event_stream.ts";
import { seededRandom } from "../support/random.ts";
import { seeds } from "../support/soak.ts";

const STREAM = [
  ":comment\n\n",
  "retry: 1500\nid: 1A\n\n",
  'id: 1B\ndata: {"op":"message"}\n\n',
  "event: gap\r\ndata: one\r\ndata:two\r\ndata\r\n\r\n",
  "event: lonely\n\n",
  "data:  two spaces\rid: 1C\r\r",
  "event\ndata: \u{1F600}\uFEFF\n\n",
  "unknown: field\nid: bad\0id\n\n",
  "data: cut off\n",
].join("");

const BLOCKS: StreamBlock[] = [
  { event: "message", data: undefined, id: "1A" },
  { event: "message", data: '{"op":"message"}', id: "1B" },
  { event: "gap", data: "one\ntwo\n", id: undefined },
  { event: "message", data: " two spaces", id: "1C" },
  { event: "message", data: "\u{1F600}\uFEFF", id: undefined },
];

function parse(pieces: Iterable<string>): StreamBlock[] {
  const parser = new EventStreamParser();
  return [...pieces].flatMap((piece) => parser.push(piece));
}

Deno.test("a stream reads the same whole and character by character", () => {
  assert.deepEqual(parse([STREAM]), BLOCKS);
  assert.deepEqual(parse(STREAM.split("")), BLOCKS);
});

Deno.test("a stream reads the same however it is cut", () => {
  for (const seed of seeds(200, 5000)) {
    const random = seededRandom(seed), pieces: string[] = [];
    for (let at = 0; at < STREAM.length;) {
      const length = Math.floor(random() * 12);
      pieces.push(STREAM.slice(at, at + length));
      at += length;
    }
    assert.deepEqual(parse(pieces), BLOCKS, `seed ${seed}`);
  }
});

Deno.test("a block without end is refused before it fills the memory", () => {
  const parser = new EventStreamParser(), mib = "x".repeat(1024 * 1024);
  assert.throws(() => {
    for (let i = 0; i < 20; i++) parser.push(`data: ${mib}\n`);
  }, RangeError);
  const line = new EventStreamParser();
  assert.throws(() => {
    for (let i = 0; i < 20; i++) line.push(mib);
  }, RangeError);
});
