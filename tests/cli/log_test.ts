import assert from "node:assert/strict";
import { createLog, type Fields, type LogFormat } from "../../src/cli/log.ts";
import { fakeTerminal } from "../support/terminal.ts";

function line(format: LogFormat, fields?: Fields): string {
  const terminal = fakeTerminal();
  createLog(format, () => 1_700_000_000_123, terminal)("warn", "peer gone", fields);
  return terminal.written.err;
}

Deno.test("text lines are for people", () => {
  assert.equal(line("text"), "22:13:20.123 warn  peer gone\n");
  assert.equal(
    line("text", { id: "a-1", peers: ["b", "c"], ms: 12, why: "no answer" }),
    `22:13:20.123 warn  peer gone id=a-1 peers=b,c ms=12 why="no answer"\n`,
  );
});

Deno.test("an event stays one line whatever it carries", () => {
  for (const format of ["text", "json"] as const) {
    const written = line(format, { text: 'a\nb\r"\u2028\u001b[0m' });
    assert.equal(written.indexOf("\n"), written.length - 1);
    assert(!written.includes("\u001b"));
  }
});

Deno.test("json lines are for machines, and their own keys cannot be overwritten", () => {
  assert.deepEqual(JSON.parse(line("json", { id: "a-1", level: "x", peers: ["b"] })), {
    time: "2023-11-14T22:13:20.123Z",
    level: "warn",
    message: "peer gone",
    id: "a-1",
    peers: ["b"],
  });
});
