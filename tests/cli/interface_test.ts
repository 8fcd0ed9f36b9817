import assert from "node:assert/strict";
import { UsageError } from "../../src/cli/errors.ts";
import { type Address, chooseInterface } from "../../src/cli/interface.ts";

const lo: Address = { family: "IPv4", address: "127.0.0.1", name: "lo" };
const lo6: Address = { family: "IPv6", address: "::1", name: "lo" };
const eth: Address = { family: "IPv4", address: "192.168.1.10", name: "eth0" };
const eth6: Address = { family: "IPv6", address: "fe80::1", name: "eth0" };
const wlan: Address = { family: "IPv4", address: "10.0.0.7", name: "wlan0" };

Deno.test("the one address that is not loopback, else loopback", () => {
  assert.equal(chooseInterface([lo, lo6, eth, eth6]), "192.168.1.10");
  assert.equal(chooseInterface([lo, lo6, eth6]), "127.0.0.1");
  assert.equal(chooseInterface([]), "127.0.0.1");
});

Deno.test("several addresses are the operator's choice, and are listed", () => {
  assert.throws(() => chooseInterface([lo, eth, wlan]), (error) => {
    assert(error instanceof UsageError);
    assert.match(error.message, /^--interface is required/);
    assert.match(error.message, /192\.168\.1\.10 \(eth0\), 10\.0\.0\.7 \(wlan0\)/);
    return true;
  });
});
