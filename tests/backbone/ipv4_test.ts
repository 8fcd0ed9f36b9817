import { deepEqual, equal, throws } from "node:assert/strict";
import { addressText, isMulticast, parseAddress } from "../../backbone/ipv4.ts";

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
