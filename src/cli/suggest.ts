/**
 * "Did you mean …?"
 *
 * @module
 */

/** `; did you mean X?` for the candidate that a slip of the finger would explain, else nothing. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: distance(word, candidate) }))
    .sort((a, b) => a.edits - b.edits);
  const [best] = ranked;
  // Beyond two edits, or a third of the word, the guess would be noise.
  if (!best || best.edits > Math.min(2, Math.ceil(word.length / 3))) return "";
  return `; did you mean ${best.candidate}?`;
}

/** Levenshtein distance: insertions, deletions and replacements from `a` to `b`. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
