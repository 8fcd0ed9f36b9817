/**
 * Slabs: buffers that share memory, but no bytes.
 *
 * @module
 */
import { deepEqual, equal, ok } from "node:assert/strict";
import { Slabs } from "../../../backbone/pgm/slab.ts";

Deno.test("buffers share a slab, but no byte, and are zeroed", () => {
  const { allocate } = new Slabs(), buffers = [];
  for (let i = 0; i < 1_000; i++) {
    const buffer = allocate(i % 300);
    ok(buffer.every((byte) => byte === 0));
    buffers.push(buffer.fill(i));
  }
  buffers.forEach((buffer, i) => deepEqual(buffer, new Uint8Array(i % 300).fill(i)));
  ok(new Set(buffers.map(({ buffer }) => buffer)).size < 10);
});

Deno.test("what is longer than a slab gets its own, and takes nothing of the next", () => {
  const { allocate } = new Slabs();
  const long = allocate(1 << 20), short = allocate(1);
  equal(long.length, 1 << 20);
  ok(short.buffer !== long.buffer);
});
