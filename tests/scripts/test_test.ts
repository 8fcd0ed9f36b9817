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
