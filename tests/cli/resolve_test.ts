import assert from "node:assert/strict";
import { UsageError } from "../../src/cli/errors.ts";
import {
  flag,
  integer,
  ipv4,
  multicast,
  oneOf,
  optional,
  secret,
  text,
  toggle,
} from "../../src/cli/flag.ts";
import { parseArguments, resolve } from "../../src/cli/resolve.ts";
import { fakeTerminal, type Surroundings } from "../support/terminal.ts";

const flags = {
  port: flag("PORT", "a port", integer(0, 65535), 8000),
  "group-base": flag("ADDRESS", "a group", multicast, "239.192.7.0"),
  interface: optional("IP", "an address", ipv4),
  log: flag("FORMAT", "a format", oneOf("text", "json"), "text"),
  id: optional("NAME", "a name", text(/^[a-z]+$/, "letters")),
  token: optional("TOKEN", "a token", secret(/^[a-z]+$/, "letters")),
  json: toggle("objects"),
};

const initial = {
  port: 8000,
  "group-base": "239.192.7.0",
  interface: undefined,
  log: "text",
  id: undefined,
  token: undefined,
  json: false,
};

async function options(args: string[], surroundings: Surroundings = {}) {
  const { flags: given } = parseArguments(args, flags);
  return await resolve(flags, given, fakeTerminal(surroundings));
}

Deno.test("flags stand in any order, with a blank or an equals sign, until --", () => {
  const parse = (...args: string[]) => {
    const { flags: given, operands } = parseArguments(args, flags);
    return [Object.fromEntries(given), operands];
  };
  assert.deepEqual(parse("a", "--port", "1", "b", "--json"), [{ port: "1", json: true }, [
    "a",
    "b",
  ]]);
  assert.deepEqual(parse("--port=1", "--id="), [{ port: "1", id: "" }, []]);
  assert.deepEqual(parse("--json", "a", "-"), [{ json: true }, ["a", "-"]]);
  assert.deepEqual(parse("--json=false"), [{ json: "false" }, []]);
  assert.deepEqual(parse("--", "--port", "-x"), [{}, ["--port", "-x"]]);
  assert.deepEqual(parse("--id", "a=b\nc"), [{ id: "a=b\nc" }, []]);
  assert.deepEqual(parse("--id=a=b\nc"), [{ id: "a=b\nc" }, []]);
  assert.deepEqual(parse("-h"), [{ help: true }, []]);
});

Deno.test("a wrong command line is refused with a hint", () => {
  const cases: [string[], RegExp][] = [
    [["--prot", "1"], /^unknown flag --prot; did you mean --port\?$/],
    [["--interfaec=1"], /^unknown flag --interfaec; did you mean --interface\?/],
    [["--frobnicate"], /^unknown flag --frobnicate$/],
    [["--constructor"], /^unknown flag --constructor/],
    [["--__proto__", "x"], /^unknown flag --__proto__/],
    [["-p", "1"], /^unknown flag -p$/],
    [["--port"], /^--port needs a value: PORT$/],
    [["--port", "1", "--port=2"], /^--port is given twice$/],
  ];
  for (const [args, message] of cases) {
    assert.throws(() => parseArguments(args, flags), (error) => {
      assert(error instanceof UsageError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("without anything the defaults hold", async () => {
  assert.deepEqual(await options([]), initial);
});

Deno.test("flags win over the environment, the environment over the file", async () => {
  const files = { "g.json": `{"port": 1, "id": "file", "log": "json", "json": true}` };
  const env = { GROUNDWAVE_PORT: "2", GROUNDWAVE_ID: "env", GROUNDWAVE_GROUP_BASE: "239.1.1.1" };
  const args = ["--config", "g.json", "--port", "3"];
  assert.deepEqual(await options(args, { files, env }), {
    ...initial,
    port: 3,
    id: "env",
    log: "json",
    json: true,
    "group-base": "239.1.1.1",
  });
});

Deno.test("the file may be named by the environment; an empty variable is no value", async () => {
  const surroundings = {
    files: { "g.json": `{"port": "77"}` },
    env: { GROUNDWAVE_CONFIG: "g.json", GROUNDWAVE_PORT: "" },
  };
  assert.deepEqual(await options([], surroundings), { ...initial, port: 77 });
});

Deno.test("an error names the source and what is allowed", async () => {
  const file = (content: string) => ({ files: { "g.json": content } });
  const config = ["--config", "g.json"];
  const cases: [string[], Surroundings, string | RegExp][] = [
    [
      ["--port", "65536"],
      {},
      `--port: "65536" is not allowed; give a whole number from 0 to 65535`,
    ],
    [["--port", "1e3"], {}, /^--port: "1e3"/],
    [["--port", "-1"], {}, /^--port: "-1"/],
    [["--port="], {}, /^--port: ""/],
    [[], { env: { GROUNDWAVE_PORT: "x" } }, /^GROUNDWAVE_PORT: "x" is not allowed; give a whole/],
    [config, file(`{"port": 1.5}`), /^"port" in g.json: 1.5 is not allowed; give a whole/],
    [config, file(`{"port": true}`), /^"port" in g.json: true/],
    [config, file(`{"port": null}`), /^"port" in g.json: null/],
    [config, file(`{"id": 5}`), /^"id" in g.json: 5 is not allowed; give letters$/],
    [["--group-base", "10.0.0.1"], {}, /give an IPv4 multicast address/],
    [["--group-base", "240.0.0.1"], {}, /give an IPv4 multicast address/],
    [["--interface", "eth0"], {}, /^--interface: "eth0" is not allowed; give an IPv4 address$/],
    [["--log", "xml"], {}, /give text or json$/],
    [["--json=yes"], {}, /^--json: "yes" is not allowed; give true or false$/],
    [["--token", "GEHEIM"], {}, "--token: this value is not allowed; give letters"],
    [config, {}, /^--config g.json: .*no such file/],
    [config, file("{"), /^g.json is not JSON: /],
    [config, file("[]"), /^g.json: expected a JSON object/],
    [config, file("null"), /^g.json: expected a JSON object/],
    [config, file(`{"prot": 1}`), /^g.json: unknown key "prot"; did you mean port\?$/],
    [config, file(`{"toString": 1}`), /^g.json: unknown key "toString"/],
  ];
  for (const [args, surroundings, expected] of cases) {
    await assert.rejects(options(args, surroundings), (error) => {
      assert(error instanceof UsageError, String(error));
      if (typeof expected === "string") assert.equal(error.message, expected);
      else assert.match(error.message, expected);
      return true;
    });
  }
});
