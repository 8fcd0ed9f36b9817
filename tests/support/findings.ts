/**
 * What `doctor` has found.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Finding } from "../../src/cli/doctor/finding.ts";

/** The one finding whose subject matches. */
export function about(findings: readonly Finding[], pattern: RegExp): Finding {
  const found = findings.filter(({ about }) => pattern.test(about));
  assert.equal(found.length, 1, JSON.stringify(findings));
  assert(found[0]);
  return found[0];
}
