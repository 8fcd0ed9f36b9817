import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { addressText, isMulticast, parseAddress } from "../../backbone/ipv4.ts";
import { staticGroups } from "../../backbone/registry.ts";

Deno.test("the static table spreads all slots evenly over the pool, and spares the control group", () => {
  const table = staticGroups(32);
  const slots = new Map<number, number>();
  for (let slot = 0; slot < 16_384; slot++) {
    const group = table.groupOf(slot);
    slots.set(group, (slots.get(group) ?? 0) + 1);
  }
  deepEqual([...slots.keys()].sort((a, b) => a - b), Array.from({ length: 32 }, (_, i) => i + 1));
  ok([...slots.values()].every((count) => count === 512));
  equal(table.count, 32);
});

Deno.test("addresses survive their text", () => {
  for (const text of ["0.0.0.0", "127.0.0.1", "239.192.7.0", "255.255.255.255"]) {
    equal(addressText(parseAddress(text)), text);
  }
  equal(parseAddress("10.77.0.1"), 0x0a4d_0001);
  for (
    const text of ["", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.x", " 1.2.3.4", "1..2.3", "::1"]
  ) {
    throws(() => parseAddress(text), RangeError, text);
  }
});

Deno.test("multicast is 224.0.0.0 to 239.255.255.255", () => {
  const groups = ["223.255.255.255", "224.0.0.0", "239.255.255.255", "240.0.0.0"];
  deepEqual(groups.map((text) => isMulticast(parseAddress(text))), [false, true, true, false]);
});
