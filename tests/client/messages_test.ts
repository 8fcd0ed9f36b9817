import assert from "node:assert/strict";
import { type Client, connect } from "../../src/client/mod.ts";
import { FakePlatform } from "./fake_platform.ts";
import { message, subscribed } from "./relay_words.ts";

interface Setup {
  readonly platform: FakePlatform;
  readonly client: Client;
  /** The relay answers the subscribe of a loop that has begun. */
  readonly answer: () => Promise<void>;
}

function setup(): Setup {
  const platform = new FakePlatform(), client = connect("http://relay.test", { platform });
  return {
    platform,
    client,
    async answer() {
      const [subscribe] = await platform.socket.open();
      platform.socket.say(subscribed(0, subscribe));
    },
  };
}

Deno.test("a loop gets the messages in order, and its break ends the subscription", async () => {
  const { platform, client, answer } = setup(), got: unknown[] = [];
  const loop = (async () => {
    for await (const { data } of client.messages("news")) {
      got.push(data);
      if (data === "4") break;
    }
  })();
  await answer();
  platform.socket.say(message(1), message(2));
  await platform.socket.sent();
  assert.deepEqual(got, ["1", "2"]);
  platform.socket.say(message(3), message(4), message(5));
  await loop;
  assert.deepEqual(got, ["1", "2", "3", "4"]);
  assert.deepEqual(await platform.socket.sent(), [{ op: "unsubscribe", channel: "news" }]);
  client.close();
});

Deno.test("a loop ends with the client", async () => {
  const { client, answer } = setup(), states: string[] = [];
  const loop = Array.fromAsync(
    client.messages("news", { onState: (state) => states.push(state) }),
  );
  await answer();
  client.close();
  assert.deepEqual(await loop, []);
  assert.deepEqual(states, ["live", "closed"]);
});

Deno.test("a loop throws what ended its subscription", async () => {
  const { platform, client } = setup();
  const loop = assert.rejects(Array.fromAsync(client.messages("news")), { code: "forbidden" });
  const [subscribe] = await platform.socket.open();
  platform.socket.say({ op: "error", code: "forbidden", message: "no", ref: subscribe?.ref });
  await loop;
  client.close();
});

Deno.test("a loop that does not keep up is told so, after what it was given", async () => {
  const { platform, client, answer } = setup(), messages = client.messages("news");
  const first = messages.next();
  await answer();
  platform.socket.say(...Array.from({ length: 1002 }, (_, i) => message(i + 1)));
  assert.equal((await first).value?.data, "1");
  const rest: unknown[] = [];
  await assert.rejects(async () => {
    for await (const { data } of messages) rest.push(data);
  }, { code: "slow_reader" });
  assert.equal(rest.at(-1), "1000");
  client.close();
});
