/**
 * Rendezvous hashing (highest random weight; Thaler and Ravishankar 1998): everybody who knows the same relays ranks them
 * alike for a group, and a relay that comes or goes moves only what it has or gets itself.
 *
 * @module
 */

/** Whoever can be ranked. */
export interface Candidate {
  /** What is hashed: a relay's name, so that a restart moves nothing. */
  readonly node: string;
  /** Breaks a tie between two of one name. */
  readonly origin: string;
}

/** The candidates for `group`, best first. */
export function rank<T extends Candidate>(group: number, candidates: readonly T[]): readonly T[] {
  return candidates
    .map((candidate) => ({ candidate, weight: weigh(group, candidate.node) }))
    .sort((a, b) => b.weight - a.weight || compare(a.candidate, b.candidate))
    .map(({ candidate }) => candidate);
}

/** The weight of a node for a group, evenly spread over 32 bits. */
function weigh(group: number, node: string): number {
  // FNV-1a over UTF-16 units; the mixes spread what it leaves alike in similar names.
  let hash = 0x811c9dc5;
  for (let i = 0; i < node.length; i++) hash = Math.imul(hash ^ node.charCodeAt(i), 0x01000193);
  return mix(mix(hash) + Math.imul(group, 0x9e3779b1));
}

/** The finalizer of MurmurHash3 (Appleby): each bit of the input turns each of the output with probability one half. */
function mix(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

function compare(a: Candidate, b: Candidate): number {
  const left = a.node + a.origin, right = b.node + b.origin;
  return left < right ? -1 : left > right ? 1 : 0;
}
