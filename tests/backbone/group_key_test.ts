import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { hash, LOOK_MS, openGroupKey, parseGroupKey, SETTLE_MS } from "../../backbone/group_key.ts";
import { freePort } from "../support/free_port.ts";
import { credentials, groupKey } from "../support/group_keys.ts";
import { openLoopback } from "../support/loopback_backbone.ts";
import { VirtualClock } from "../support/virtual_clock.ts";

const HEX = "00112233445566778899aabbccddeeff";
const SECRET = Uint8Array.fromHex(HEX);

Deno.test("a file of keys has one or two lines, in hex or base64", () => {
  deepEqual(parseGroupKey(`7:${HEX}`), [{ id: 7, secret: SECRET }]);
  deepEqual(parseGroupKey(`\n 0:${SECRET.toBase64()} \r\n127:${HEX.toUpperCase()}\n\n`), [
    { id: 0, secret: SECRET },
    { id: 127, secret: SECRET },
  ]);
});

const BAD: [string, string, RegExp][] = [
  ["nothing", "\n \n", /no key/],
  ["three keys", `1:${HEX}\n2:${HEX}\n3:${HEX}`, /more than 2/],
  ["the same id twice", `1:${HEX}\n1:${HEX}`, /same id/],
  ["no id", HEX, /line 1 is not/],
  ["an id over 127", `128:${HEX}`, /line 1 is not/],
  ["a short secret", `1:${HEX}\n\n2:0011`, /line 3 is not/],
  ["a long secret", `1:${HEX.repeat(5)}`, /line 1 is not/],
  ["neither hex nor base64", `1:${"*".repeat(40)}`, /line 1 is not/],
];

for (const [name, text, message] of BAD) {
  Deno.test(`a file with ${name} is refused, and no secret is told`, () => {
    throws(() => parseGroupKey(text), (error: Error) => {
      ok(error instanceof RangeError && message.test(error.message), error.message);
      return !error.message.includes(HEX);
    });
  });
}

Deno.test("the hash is BLAKE2b-512", () => {
  // RFC 7693, appendix A.
  const abc = new TextEncoder().encode("abc");
  equal(hash(abc).toHex().slice(0, 32), "ba80a53f981c4d0d6a2797b69f12f6e9");
});

/** Waits for what a clock's timer set off, whose file operations take their time. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve));
}

/** A file of keys that is followed by a clock whose timers are counted. */
async function followed() {
  const path = await Deno.makeTempFile(), clock = new VirtualClock(), logged: string[] = [];
  let looks = 0, changedMs = 1_000_000;
  const write = async (text: string) => {
    await Deno.writeTextFile(path, text);
    await Deno.utime(path, new Date(), new Date(changedMs += 1_000));
  };
  await write(`1:${HEX}`);
  const file = await openGroupKey({
    path,
    clock: {
      nowMs: () => clock.nowMs(),
      after: (ms, fn) => {
        looks++;
        return clock.after(ms, fn);
      },
    },
    wallMs: () => 5_000,
    log: (level, message) => logged.push(`${level} ${message}`.slice(0, 18)),
  });
  /** Lets time pass to the next look and waits until it has been taken. */
  const look = async (ms: number) => {
    const before = looks;
    clock.advance(ms);
    await until(() => looks > before);
  };
  const close = async () => {
    file.close();
    file.close();
    await Deno.remove(path);
  };
  return { credentials: file.credentials, write, look, logged, looks: () => looks, clock, close };
}

Deno.test("a file that changes is read again; one that turns bad leaves the keys as they were", async () => {
  const { credentials: { keys, time }, write, look, logged, close } = await followed();
  try {
    deepEqual([keys.signing.id, time.at(10)], [1, 5_010]);
    const change = async (text: string) => {
      await write(text);
      await look(LOOK_MS);
      await look(SETTLE_MS);
    };
    await change(`2:${HEX}\n1:${HEX}`);
    deepEqual([keys.signing.id, keys.get(1)?.id], [2, 1]);
    await change("nonsense");
    equal(keys.signing.id, 2);
    await change(`2:${HEX}`);
    equal(keys.get(1), undefined);
    deepEqual(logged, ["info group key rea", "warn the group key", "info group key rea"]);
  } finally {
    await close();
  }
});

Deno.test("a file that is being written is not read, though what is there looks like a key", async () => {
  const { credentials: { keys }, write, look, logged, close } = await followed();
  try {
    await write(`2:${HEX}${HEX.slice(0, 4)}`);
    await look(LOOK_MS);
    await write(`2:${HEX}${HEX}`);
    await look(SETTLE_MS);
    equal(keys.signing.id, 1);
    await look(SETTLE_MS);
    deepEqual([keys.signing.id, keys.signing.secret.length], [2, 32]);
    deepEqual(logged, ["info group key rea"]);
  } finally {
    await close();
  }
});

Deno.test("a file found bad is read again soon, then ever more seldom, and complained of once", async () => {
  const { credentials: { keys }, write, look, looks, logged, clock, close } = await followed();
  try {
    await write("2:");
    await look(LOOK_MS);
    await look(SETTLE_MS);
    equal(logged.length, 1);
    for (let waitMs = SETTLE_MS; waitMs < LOOK_MS; waitMs *= 2) {
      const before = looks();
      clock.advance(waitMs - 1);
      equal(looks(), before);
      await look(1);
    }
    await write(`2:${HEX}`);
    await look(LOOK_MS);
    await look(LOOK_MS);
    equal(keys.signing.id, 2);
    deepEqual(logged, ["warn the group key", "info group key rea"]);
  } finally {
    await close();
  }
});

Deno.test("a file that is not there or bad is an error at the start", async () => {
  const options = { clock: new VirtualClock(), wallMs: () => 0, log: () => {} };
  await rejects(openGroupKey({ ...options, path: "/nonexistent/key" }), Deno.errors.NotFound);
  await rejects(openGroupKey({ ...options, path: "/dev/null" }), RangeError);
  await rejects(openGroupKey({ ...options, path: "/tmp" }), /directory/i);
  // One without an end is not read to its end.
  await rejects(openGroupKey({ ...options, path: "/dev/zero" }), /longer than 4096 bytes/);
});

Deno.test("over sockets relays of one key hear each other, those of another hear nothing", async () => {
  const groupPort = freePort(), heard: string[] = [];
  const arrived = Promise.withResolvers<void>();
  const open = (origin: string, keys: Parameters<typeof credentials>[0]) =>
    openLoopback(origin, groupPort, {
      message: (_group, from, payload) => {
        heard.push(`${origin} from ${from}: ${payload[0]}`);
        if (payload[0] === 2) arrived.resolve();
      },
    }, { credentials: credentials(keys) });
  const relays = [
    await open("AAAAAAAA", [groupKey(1)]),
    await open("BBBBBBBB", [groupKey(2), groupKey(1)]),
    await open("CCCCCCCC", [groupKey(1, 9)]),
  ] as const;
  try {
    await Promise.all(relays.map((relay) => relay.join(1)));
    const [a, , c] = relays;
    c.send(1, Uint8Array.of(1));
    a.send(1, Uint8Array.of(2));
    await arrived.promise;
    deepEqual(heard, ["BBBBBBBB from AAAAAAAA: 2"]);
    await until(() => (c.counters().dropped_forged ?? 0) > 0);
  } finally {
    await Promise.all(relays.map((relay) => relay.close()));
  }
});
