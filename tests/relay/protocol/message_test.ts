import assert from "node:assert/strict";
import { messageId, parseMessageId } from "../../../relay/protocol/message.ts";
import { SLOT_COUNT } from "../../../relay/protocol/slot.ts";
import { seededRandom } from "../../support/random.ts";
import { int, randomNumber, randomOrigin } from "./samples.ts";

Deno.test("the text of an id", () => {
  assert.equal(messageId({ origin: "q83vASNF", slot: 361, seq: 7 }), "q83vASNF.a1.7");
});

Deno.test("any id comes back as it went", () => {
  const random = seededRandom(1);
  for (let i = 0; i < 2000; i++) {
    const place = {
      origin: randomOrigin(random),
      slot: int(random, SLOT_COUNT),
      seq: randomNumber(random, 1),
    };
    const id = messageId(place);
    assert.deepEqual(parseMessageId(id), place);
    assert.deepEqual(parseMessageId(`${id} `), undefined);
  }
});

Deno.test("only the one text of an id is read", () => {
  const origin = "q83vASNF";
  const seq = (value: number | bigint) => `${origin}.a1.${value.toString(36)}`;
  assert.ok(parseMessageId(`${origin}.0.1`));
  assert.ok(parseMessageId(`${origin}.cn3.1`));
  assert.ok(parseMessageId(seq(Number.MAX_SAFE_INTEGER)));
  const bad = [
    "",
    origin,
    `${origin}.a1`,
    `${origin}.a1.`,
    `${origin}..1`,
    `${origin}.cn4.1`,
    `${origin}.zzz.1`,
  ];
  const more = [
    seq(0),
    seq(2n ** 53n),
    seq(2n ** 60n),
    `${origin}.01.1`,
    `${origin}.1.01`,
    `${origin}.1.-1`,
  ];
  const odd = [
    `q83vASN.a1.7`,
    `q83vASNFF.a1.7`,
    `q83vASN+.a1.7`,
    `${origin}.A1.7`,
    `${origin}.a1.7\n`,
    `${origin}.a1.7.1`,
  ];
  for (const text of [...bad, ...more, ...odd]) assert.equal(parseMessageId(text), undefined, text);
});
