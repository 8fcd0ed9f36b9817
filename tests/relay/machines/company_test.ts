import assert from "node:assert/strict";
import { Company } from "../../../relay/machines/company.ts";

Deno.test("a relay is alone until it sees another, and 60 s after it saw the last", () => {
  const company = new Company();
  company.inView(0, 0);
  assert.equal(company.isAlone(0), true);
  company.inView(2, 10);
  company.inView(0, 20);
  assert.equal(company.isAlone(20), false);
  assert.equal(company.isAlone(60_009), false);
  assert.equal(company.isAlone(60_010), true);
  company.inView(1, 60_020);
  assert.equal(company.isAlone(60_020), false);
});
