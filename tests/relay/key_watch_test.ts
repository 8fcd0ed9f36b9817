import assert from "node:assert/strict";
import { KeyWatch, warnIfOpen } from "../../relay/key_watch.ts";
import { credentials } from "../support/group_keys.ts";

Deno.test("each way not to share a key is told once, and what does not come in is not told", () => {
  const counters: Record<string, number> = { dropped_keyed: 0, dropped_checksum: 9 };
  const said: string[] = [];
  const watch = new KeyWatch({ counters: () => counters }, (_, text) => said.push(text));
  watch.look();
  assert.deepEqual(said, []);
  counters["dropped_keyed"] = 1;
  for (let looks = 0; looks < 3; looks++) watch.look();
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /others on the LAN have a group key/);
  counters["dropped_unauthenticated"] = counters["dropped_unknown_key"] = 5;
  counters["dropped_forged"] = 5;
  watch.look();
  watch.look();
  assert.equal(new Set(said).size, 4);
  assert.equal(said.length, 4);
});

Deno.test("a relay without a key says so where others may be", () => {
  const said: string[] = [], log = (_: string, text: string) => void said.push(text);
  warnIfOpen({ credentials: credentials(), interface: "192.168.1.1", log });
  warnIfOpen({ credentials: undefined, interface: "127.0.0.1", log });
  assert.deepEqual(said, []);
  warnIfOpen({ credentials: undefined, interface: "192.168.1.1", log });
  assert.match(said[0] ?? "", /no group key/);
});
