import assert from "node:assert/strict";
import { count, findTests, plan } from "../../scripts/test.ts";

const files = [
  "tests/backbone/pgm/packet_test.ts",
  "tests/e2e/command_test.ts",
  "tests/e2e/page_test.ts",
  "tests/relay/protocol/log_test.ts",
  "tests/relay/relay_test.ts",
  "tests/unheard_of/x_test.ts",
];

const names = (filters: string[]) => plan(files, filters).map(({ name }) => name);

Deno.test("every file is in exactly one part, the browser last of the known ones", () => {
  assert.deepEqual(names([]), ["backbone", "relay", "e2e", "browser", "unheard_of"]);
  assert.deepEqual(plan(files, []).flatMap((part) => part.files).sort(), files);
});

Deno.test("a filter is a part, a folder or a file, with or without tests/", () => {
  assert.deepEqual(names(["browser"]), ["browser"]);
  assert.deepEqual(plan(files, ["relay/protocol"]).flatMap((part) => part.files), [
    "tests/relay/protocol/log_test.ts",
  ]);
  assert.deepEqual(names(["./tests/e2e/command_test.ts", "relay/"]), ["relay", "e2e"]);
  assert.deepEqual(names(["rel"]), []);
  assert.deepEqual(names(["nothing"]), []);
});

Deno.test("this very file is found", async () => {
  const root = new URL("../..", import.meta.url).pathname;
  assert((await findTests(`${root}tests`)).includes(`${root}tests/scripts/test_test.ts`));
});

Deno.test("results are counted from the summary", () => {
  const cases: [string, boolean, number, number][] = [
    ["ok | 12 passed | 0 failed (1s)\n", true, 12, 0],
    ["noise\nok | 12 passed (3 steps) | 0 failed | 2 ignored (1s)\n", true, 12, 0],
    ["FAILED | 3 passed (1 step) | 2 failed (2 steps) (20ms)\n", false, 3, 2],
    ["error: TS2322 [ERROR]: Type", false, 0, 1],
    ["ok | 12 passed | 0 failed (1s)\nerror: leaked afterwards", false, 12, 1],
    ["", false, 0, 1],
  ];
  for (const [output, success, passed, failed] of cases) {
    assert.deepEqual(count(output, success), { passed, failed }, output);
  }
});

/** Runs the runner over a tree of its own. */
async function runOver(files: Record<string, string>, env: Record<string, string> = {}) {
  const tree = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${tree}/scripts`);
    await Deno.copyFile(
      new URL("../../scripts/test.ts", import.meta.url),
      `${tree}/scripts/test.ts`,
    );
    for (const [path, content] of Object.entries(files)) {
      await Deno.mkdir(`${tree}/${path.replace(/[^/]*$/, "")}`, { recursive: true });
      await Deno.writeTextFile(`${tree}/${path}`, content);
    }
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${tree}/scripts/test.ts`],
      env: { CI: "", SOAK: "", ...env },
    }).output();
    return { code, out: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(tree, { recursive: true });
  }
}

const GOOD = `Deno.test("good", () => {});`, BAD = `Deno.test("bad", () => { throw 1; });`;

Deno.test("the last line sums up, and a failure shows its output", async () => {
  const good = await runOver({ "tests/cli/a_test.ts": GOOD, "tests/x/b_test.ts": GOOD });
  assert.equal(good.code, 0);
  assert.match(
    good.out,
    /^cli +\d+\.\d s {2}1 passed {2}ok\nx +.*\ntotal .*\n2 passed, 0 failed\n$/,
  );
  const bad = await runOver({
    "tests/cli/a_test.ts": GOOD + BAD,
    "tests/x/b_test.ts": "const a: 1 = 2;",
  });
  assert.equal(bad.code, 1);
  assert.match(
    bad.out,
    /1 FAILED\n(.*\n)*bad \.\.\. FAILED(.*\n)*TS2322.*\n(.*\n)*1 passed, 2 failed\n$/,
  );
});

Deno.test("a suite without its program is skipped by name; in CI that is a failure", async () => {
  const files = {
    "tests/e2e/page_test.ts": BAD,
    "tests/cli/a_test.ts": GOOD,
    "tests/interop/b_test.ts": BAD,
  };
  const line = /SKIPPED tests\/e2e\/page_test\.ts: needs chromium\n.*apt-get install .*chromium\n/;
  const skipped = await runOver(files, { PATH: "/nowhere" });
  assert.equal(skipped.code, 0);
  assert.match(skipped.out, line);
  for (const need of ["ip", "nft", "gcc", "tshark", "root, to make network namespaces"]) {
    assert(skipped.out.includes(`SKIPPED tests/interop/b_test.ts: needs ${need}\n`), need);
  }
  assert.match(skipped.out, /\n1 passed, 0 failed\n$/);
  const ci = await runOver(files, { PATH: "/nowhere", CI: "true" });
  assert.equal(ci.code, 1);
  assert.match(ci.out, line);
  assert.match(ci.out, /\n1 passed, 2 failed\n$/);
});
