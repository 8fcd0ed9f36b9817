import assert from "node:assert/strict";
import { decodeAnnouncement, encodeAnnouncement } from "../../../relay/protocol/announcement.ts";
import { DecodeError } from "../../../relay/protocol/wire.ts";
import { seededRandom } from "../../support/random.ts";
import { flipped, int, pick, randomAnnouncement, randomBytes } from "./samples.ts";

Deno.test("any announcement comes back as it went", () => {
  for (let seed = 0; seed < 500; seed++) {
    const announcement = randomAnnouncement(seededRandom(seed));
    assert.deepEqual(
      decodeAnnouncement(encodeAnnouncement(announcement)),
      announcement,
      `seed ${seed}`,
    );
  }
});

Deno.test("what is no announcement is refused", async (test) => {
  const good = randomAnnouncement(seededRandom(1));
  const cases: Record<string, Uint8Array> = {
    "nothing": new Uint8Array(),
    "no node": encodeAnnouncement({ ...good, node: "" }),
    "no region": encodeAnnouncement({ ...good, region: "" }),
    "a host with a line end": encodeAnnouncement({ ...good, host: "a\n" }),
    "port 0": encodeAnnouncement({ ...good, port: 0 }),
    "a port of 17 bits": encodeAnnouncement({ ...good, port: 65536 }),
    "a group of 17 bits": encodeAnnouncement({ ...good, groups: [65536] }),
  };
  for (const [name, bytes] of Object.entries(cases)) {
    await test.step(name, () => {
      assert.throws(() => decodeAnnouncement(bytes), DecodeError);
    });
  }
});

Deno.test("a spoilt announcement is one all the same, or a DecodeError", () => {
  for (let seed = 0; seed < 2000; seed++) {
    const random = seededRandom(seed);
    const good = encodeAnnouncement(randomAnnouncement(random));
    const bytes = pick(random, [
      () => good.subarray(0, int(random, good.length)),
      () => flipped(random, good),
      () => randomBytes(random, 60),
    ])();
    try {
      decodeAnnouncement(bytes);
    } catch (error) {
      assert.ok(error instanceof DecodeError, `seed ${seed}: ${error}`);
    }
  }
});
