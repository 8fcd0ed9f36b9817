import { equal, ok } from "node:assert/strict";
import Module from "node:module";

/** Files of the Redis library that this process has loaded. */
function loaded(): number {
  const { _cache: cache } = Module as unknown as { _cache: Readonly<Record<string, unknown>> };
  return Object.keys(cache).filter((path) => path.includes("/ioredis/")).length;
}

Deno.test("the Redis library is not loaded before there is a Redis to dial", async () => {
  await import("../../../src/cli/program.ts");
  await import("../../../backbone/registry/redis_store.ts");
  equal(loaded(), 0);
  await import("ioredis");
  ok(loaded() > 0);
});
