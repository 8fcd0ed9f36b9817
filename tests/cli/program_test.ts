import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { run } from "../../src/cli/program.ts";
import { fakeTerminal, type Surroundings } from "../support/terminal.ts";

const COMMANDS = [
  ...["dev", "serve", "publish", "subscribe", "doctor"],
  ...["pgm send", "pgm recv", "pgm dump"],
];

async function groundwave(args: string[], surroundings?: Surroundings) {
  const terminal = fakeTerminal(surroundings);
  const code = await run(args, terminal);
  assert.equal(terminal.handlers.size, 0);
  return { code, ...terminal.written };
}

Deno.test("--version is the version, everywhere", async () => {
  for (const args of [[], ...COMMANDS.map((name) => name.split(" "))]) {
    const expected = { code: 0, out: `groundwave ${config.version}\n`, err: "" };
    assert.deepEqual(await groundwave([...args, "--version"]), expected);
  }
});

Deno.test("the top help names every command, and has an example", async () => {
  for (const flag of ["--help", "-h"]) {
    const { code, out, err } = await groundwave([flag]);
    assert.deepEqual([code, err], [0, ""]);
    for (const name of COMMANDS) assert.match(out, new RegExp(`^  ${name} `, "m"));
    assert.match(out, /Example:\n {2}deno task/);
  }
});

Deno.test("a command's help is exact", async () => {
  const { code, out } = await groundwave(["publish", "--help"]);
  assert.equal(code, 0);
  assert.equal(
    out,
    `groundwave publish: publish one message; prints its id and the level it reached

Usage: groundwave publish URL CHANNEL [DATA|-] [flags]

Flags:
  --event NAME       event name
  --ack LEVEL        accepted, replicated or archived: the level to wait for
  --key KEY          idempotency key
  --after CURSOR     what the message answers
  --token TOKEN      sent as Authorization: Bearer TOKEN
  --config FILE      JSON file with flags as keys
  --help, --version  show this, or the version

Every flag has an environment twin (--group-port = GROUNDWAVE_GROUP_PORT) and a key in the
file. Flags win over the environment, the environment over the file.

Example:
  deno task groundwave publish http://localhost:8000 news "hello"
`,
  );
});

Deno.test("every help is short, fits the screen and has an example", async () => {
  for (const name of COMMANDS) {
    const { code, out } = await groundwave([...name.split(" "), "--help"]);
    assert.equal(code, 0);
    const lines = out.split("\n");
    assert(lines.length <= 30, `${name}: ${lines.length} lines`);
    for (const line of lines) assert(line.length <= 100, line);
    assert.match(out, new RegExp(`^groundwave ${name}: `));
    assert.match(out, /Example:\n {2}deno task .+/);
    for (const flag of ["--config FILE", "--help"]) assert(out.includes(flag));
  }
});

Deno.test("a wrong call is exit code 2 and says what is meant", async () => {
  const serveNone = /--anonymous none: .*cannot check tokens.*--anonymous all/s;
  const cases: [string[], RegExp][] = [
    [[], /Usage: groundwave COMMAND/],
    [["sevre"], /^unknown command sevre; did you mean serve\?\n/],
    [["frobnicate"], /^unknown command frobnicate\n/],
    [["--verison"], /^unknown flag --verison; did you mean --version\?\n/],
    [["dev", "--prot", "1"], /^unknown flag --prot; did you mean --port\?\n/],
    [["dev", "8001"], /^dev: unexpected "8001"\n/],
    [
      ["dev", "--port", "http"],
      /^--port: "http" is not allowed; give a whole number from 0 to 65535\n/,
    ],
    [["dev", "--group-base", "10.0.0.1"], /give an IPv4 multicast address/],
    [["dev", "--id", "a b"], /give 1 to 64 letters/],
    [["serve"], serveNone],
    [["serve", "--anonymous", "subscribe"], /^--anonymous subscribe: /],
    [["serve", "--anonymous", "some"], /give none, subscribe or all\n/],
    [["publish"], /^publish needs URL\n/],
    [["publish", "http://localhost"], /^publish needs CHANNEL\n/],
    [["publish", "localhost:8000", "a", "b"], /"localhost:8000" is not the URL of a node/],
    [["publish", "http://localhost", "a", "b", "c"], /^publish: unexpected "c"\n/],
    [
      ["publish", "http://localhost", "a", "b", "--ack", "yes"],
      /give accepted, replicated or archived/,
    ],
    [["subscribe", "http://localhost"], /^subscribe needs CHANNEL…\n/],
    [["subscribe", "http://localhost", "a", "--transport", "tcp"], /give sse or ws/],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await groundwave(args);
    assert.deepEqual([code, out], [2, ""], args.join(" "));
    assert.match(err, message);
  }
});

Deno.test("a secret behind a slip of the finger stays hidden", async () => {
  const { err } = await groundwave(["publish", "--tokne=geheim"]);
  assert.match(err, /^unknown flag --tokne; did you mean --token\?/);
  assert(!err.includes("geheim"));
});

Deno.test("serve listens to its environment and file before it refuses", async () => {
  const files = { "g.json": `{"anonymous": "subscribe"}` };
  const { err } = await groundwave(["serve", "--config", "g.json"], { files });
  assert.match(err, /^--anonymous subscribe: /);
  const env = { GROUNDWAVE_PORT: "none" };
  assert.match((await groundwave(["serve"], { env })).err, /^GROUNDWAVE_PORT: "none"/);
});
