import assert from "node:assert/strict";
import plugin from "../../scripts/lint.ts";

/** The rules that speak up about `source` as the file `path`. */
function rules(path: string, source: string): string[] {
  const root = new URL("../..", import.meta.url).pathname;
  return Deno.lint.runPlugin(plugin, root + path, source).map((d) =>
    d.id.replace("groundwave/", "")
  );
}

const cases: [path: string, source: string, ...expected: string[]][] = [
  // The table "Three floors".
  ["relay/protocol/log.ts", `import { a } from "./cursor.ts";`],
  ["relay/protocol/log.ts", `import { a } from "../machines/custody.ts";`, "layers"],
  ["relay/protocol/log.ts", `import type { A } from "../../backbone/backbone.ts";`, "layers"],
  ["relay/machines/custody.ts", `import { a } from "../protocol/log.ts";`],
  ["relay/machines/custody.ts", `import { a } from "../relay.ts";`, "layers"],
  ["relay/relay.ts", `import { a } from "./machines/custody.ts";`],
  ["relay/relay.ts", `import { a } from "../backbone/clock.ts";`],
  ["relay/relay.ts", `import { a } from "../backbone/endpoint.ts";`],
  ["relay/relay.ts", `import { a } from "../backbone/pgm/packet.ts";`, "layers"],
  ["relay/relay.ts", `export * from "../src/edge/edge.ts";`, "layers"],
  ["backbone/endpoint.ts", `import { a } from "./pgm/packet.ts"; import { b } from "./clock.ts";`],
  ["backbone/endpoint.ts", `import { a } from "../relay/protocol/slot.ts";`, "layers"],
  ["backbone/pgm/source.ts", `import { a } from "../backbone.ts";`, "layers"],
  ["src/edge/sse.ts", `import { a } from "../../relay/protocol/errors.ts";`],
  ["src/edge/sse.ts", `import { a } from "../../relay/relay.ts";`, "layers"],
  ["src/edge/sse.ts", `import { a } from "./adapters/deno.ts";`, "layers"],
  ["src/edge/sse.ts", `import { a } from "../client/mod.ts";`, "layers"],
  ["src/edge/adapters/deno.ts", `import { a } from "../edge.ts";`],
  ["src/edge/adapters/deno.ts", `import { a } from "../../../relay/relay.ts";`, "layers"],
  ["src/client/mod.ts", `import { a } from "../../relay/protocol/cursor.ts";`],
  ["src/client/mod.ts", `import { a } from "./platform.ts";`],
  ["src/client/platform.ts", "setTimeout(f, 1);"],
  ["src/client/mod.ts", `import { a } from "../edge/edge.ts";`, "layers"],
  [
    "src/cli/node.ts",
    `import { a } from "../edge/adapters/deno.ts"; import { b } from "../../relay/relay.ts";`,
  ],
  ["src/cli/node.ts", `import config from "../../deno.json" with { type: "json" };`],
  ["src/cli/node.ts", `import { a } from "../../tests/support/random.ts";`, "layers"],
  ["src/main.ts", `import { a } from "../relay/relay.ts";`, "layers"],
  ["relay/protocol/log.ts", `type A = import("../relay.ts").A;`, "layers"],
  ["relay/protocol/log.ts", `await import("../relay.ts");`, "layers"],
  ["tests/relay/relay_test.ts", `import { a } from "../../src/edge/adapters/deno.ts";`],
  ["relay/protocol/log.ts", `import { Buffer } from "node:buffer";`, "layers"],
  ["src/edge/sse.ts", `import assert from "node:assert";`, "layers"],
  ["src/edge/adapters/node.ts", `import http from "node:http";`],
  // What is ambient.
  ...[
    "Date.now();",
    "new Date();",
    "Math.random();",
    `Math["random"]();`,
    "performance.now();",
    "setTimeout(f, 1);",
    "AbortSignal.timeout(1);",
    "const g = { setInterval };",
    "crypto.getRandomValues(b);",
    "crypto.randomUUID();",
    "console.log(1);",
    `globalThis["Date"].now();`,
    "Deno.cwd();",
    "type A = typeof setTimeout;",
    "const f = () => Date;",
  ].flatMap((source): typeof cases => [
    ["relay/protocol/log.ts", source, "ambient"],
    ["src/edge/sse.ts", source, "ambient"],
    ["src/client/mod.ts", source, "ambient"],
    ["src/cli/log.ts", source],
    ["src/edge/adapters/deno.ts", source],
    ["backbone/clock.ts", source],
  ]),
  ["relay/relay.ts", "Date.now();", "ambient"],
  ["relay/relay.ts", "Deno.hostname();"],
  ["backbone/endpoint.ts", "setTimeout(f, 1);", "ambient"],
  ["backbone/udp.ts", "Deno.listenDatagram(options);"],
  ["relay/protocol/log.ts", "function f(performance: number) { return performance; }"],
  [
    "relay/protocol/log.ts",
    "const { setTimeout: after } = host; host.setTimeout(); interface A { console: B; Date(): C }",
  ],
  ["relay/protocol/log.ts", "class A { process = 1; Deno() { return this.process; } }"],
  ["src/edge/sse.ts", "crypto.subtle.digest(a, b); queueMicrotask(f);"],
  // State of a module.
  ["relay/relay.ts", "let a = 1;", "module-state"],
  ["src/cli/log.ts", "export let a = 1;", "module-state"],
  ["backbone/udp.ts", "var a = 1;", "module-state"],
  ["src/edge/sse.ts", "const cache = new WeakMap<A, B>();", "module-state"],
  [
    "src/edge/sse.ts",
    "const table = new Map([[1, 2]]); function f() { let a = 1; const b = new Map(); }",
  ],
  ["src/edge/sse.ts", "const cache: Map<A, B> = new Map();", "module-state"],
  [
    "relay/upstream.ts",
    "const NOWHERE: Vector = new Map(); const NONE: ReadonlySet<A> = new Set();",
  ],
  ["tests/support/x.ts", "let a = 1;"],
  // Where code comes from.
  ["src/cli/log.ts", `import a from "jsr:@std/assert";`, "remote-import"],
  ["scripts/x.ts", `import a from "https://deno.land/x/a.ts";`, "remote-import"],
  ["tests/x_test.ts", `await import("npm:zod");`, "remote-import"],
  ["relay/protocol/codec.ts", `import Pbf from "pbf";`],
];

for (const [path, source, ...expected] of cases) {
  Deno.test(`${path}: ${source}`, () => assert.deepEqual(rules(path, source), expected));
}

Deno.test("a finding says what to do instead", () => {
  const [found] = Deno.lint.runPlugin(plugin, "relay/protocol/log.ts", "Date.now();");
  assert.equal(found?.message, "`Date` is ambient here");
  assert.match(found?.hint ?? "", /nowMs/);
});
