import assert from "node:assert/strict";
import { PbfReader, PbfWriter } from "pbf";
import { decodeMessage, encodeMessage } from "../../../relay/protocol/codec.ts";
import { ANSWER_LIMITS, FrameReader } from "../../../relay/protocol/frame_reader.ts";
import { decodeAnnouncement, encodeAnnouncement } from "../../../relay/protocol/announcement.ts";
import { encodeFrame } from "../../../relay/protocol/frame_writer.ts";
import { FRAME_HEADER_BYTES } from "../../../relay/protocol/frames.ts";
import { seededRandom } from "../../support/random.ts";
import { randomAnnouncement, randomFrame, randomMessage } from "./samples.ts";

/** What pbf's own compiler makes of the .proto: readers and writers by message. */
type Generated = Readonly<
  & Record<`read${string}`, (reader: PbfReader) => unknown>
  & Record<`write${string}`, (value: unknown, writer: PbfWriter) => void>
>;

async function generated(): Promise<Generated> {
  const proto = new URL("../../../relay/protocol/groundwave.proto", import.meta.url);
  const compiler = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-read", "--allow-env", "npm:pbf@5.1.2", proto.pathname],
    stderr: "inherit",
  });
  const { success, stdout } = await compiler.output();
  assert.ok(success);
  return await import(
    `data:text/javascript,${encodeURIComponent(new TextDecoder().decode(stdout))}`
  );
}

/** Leaves strings as they are: pbf's own way strips a byte order mark, and miswrites U+20000 and every other plane. */
class StrictReader extends PbfReader {
  override readString(): string {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.readBytes());
  }
}

class StrictWriter extends PbfWriter {
  override writeString(text: string): void {
    this.writeBytes(new TextEncoder().encode(text));
  }
}

/** `bytes` read and written again by the generated code, which drops what the .proto does not have. */
function through(code: Generated, message: string, bytes: Uint8Array): Uint8Array {
  const value = code[`read${message}`]?.(new StrictReader(bytes));
  const writer = new StrictWriter();
  code[`write${message}`]?.(value, writer);
  return writer.finish();
}

Deno.test("the hand-written codecs speak the .proto", async () => {
  const code = await generated();
  for (let seed = 0; seed < 300; seed++) {
    const random = seededRandom(seed);

    const message = { ...randomMessage(random), data: `data ${seed}` };
    assert.deepEqual(decodeMessage(through(code, "Message", encodeMessage(message))), message);

    const announcement = randomAnnouncement(random);
    const announced = through(code, "Announcement", encodeAnnouncement(announcement));
    assert.deepEqual(decodeAnnouncement(announced), announcement);

    const frame = randomFrame(random);
    for (const bytes of encodeFrame(frame)) {
      const body = through(code, "Frame", bytes.subarray(FRAME_HEADER_BYTES));
      const framed = new Uint8Array(FRAME_HEADER_BYTES + body.length);
      new DataView(framed.buffer).setUint32(0, body.length);
      framed.set(body, FRAME_HEADER_BYTES);
      assert.deepEqual(
        [...new FrameReader({ ...ANSWER_LIMITS, long: ["catch_up", "digest", "pull", "push"] })
          .push(framed)],
        [frame],
        `seed ${seed}`,
      );
    }
  }
});
