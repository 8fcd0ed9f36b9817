/**
 * Anti-entropy: two relays tell each other where they stand in the slots that matter to the other, and either pulls what
 * it lacks (DESIGN "Anti-entropy"). A slot is told until the other has said that it lacks nothing of it; while nothing
 * changes the digests are empty, and only prove the path.
 *
 * An exchange is a request and its answer. Both name in `equal` the slots of the digest before them, from the other side,
 * in which their sender lacks nothing.
 *
 * @module
 */
import type { Digest, DigestEntry } from "../protocol/frames.ts";
import type { Standing } from "../protocol/log/catch_up.ts";
import type { Origin } from "../protocol/message.ts";
import { covers } from "../protocol/vector.ts";

/** What this relay holds, as digests see it. */
export interface Holdings {
  /** The slots that have a log. */
  slots(): Iterable<number>;
  groupOf(slot: number): number;
  /** Rises with whatever a peer that had all before could pull, also over the end of a log and the start of the next. */
  version(slot: number): number;
  /** Where this relay stands in a slot, as a view; undefined if it has nothing of it. */
  entry(slot: number): DigestEntry | undefined;
  /** Where to pull from to get what a relay that stands at `entry` has and this one lacks; undefined: there is nothing. */
  pullFrom(entry: DigestEntry): Standing | undefined;
}

/** What is known of one peer. */
interface Book {
  /** By slot, this relay's version of which the peer lacks nothing. */
  readonly covered: Map<number, number>;
  /** By slot, the version told in the request under way, and in the last answer. */
  requested: ReadonlyMap<number, number>;
  answered: ReadonlyMap<number, number>;
  /** Slots of the peer's last answer in which this relay lacks nothing, to be said in the next request. */
  equal: readonly number[];
  /** The groups that the peer heard when it last said so. */
  hears: ReadonlySet<number>;
}

/** The digests of one relay. */
export class AntiEntropy {
  readonly #holdings: Holdings;
  readonly #books = new Map<Origin, Book>();

  constructor(holdings: Holdings) {
    this.#holdings = holdings;
  }

  /** Begins an exchange: what to tell `peer` of the groups in `tell`, and which groups this relay hears. One at a time. */
  request(peer: Origin, tell: (group: number) => boolean, hears: readonly number[]): Digest {
    const book = this.#book(peer), equal = book.equal;
    const { entries, versions } = this.#tell(book, tell);
    book.requested = versions;
    // Said once: should it not arrive, the peer tells those slots again.
    book.equal = [];
    return { groups: hears, entries, equal };
  }

  /** The answer to the request under way: in which slots the peer has what this relay lacks. */
  takeAnswer(peer: Origin, answer: Digest): readonly DigestEntry[] {
    const book = this.#book(peer);
    this.#follow(book, new Set(answer.groups));
    confirm(book, book.requested, answer.equal);
    book.requested = NOTHING;
    const { equal, ahead } = this.#compare(book, answer.entries);
    book.equal = equal;
    return ahead;
  }

  /** Answers a request; `ahead` is where, in the groups that this relay hears, the peer has what it lacks. */
  answer(
    peer: Origin,
    request: Digest,
    hears: readonly number[],
  ): { readonly answer: Digest; readonly ahead: readonly DigestEntry[] } {
    const book = this.#book(peer);
    this.#follow(book, new Set(request.groups));
    confirm(book, book.answered, request.equal);
    const heard = new Set(hears);
    const { equal, ahead } = this.#compare(
      book,
      request.entries.filter(({ slot }) => heard.has(this.#holdings.groupOf(slot))),
    );
    const { entries, versions } = this.#tell(book, (group) => book.hears.has(group));
    book.answered = versions;
    return { answer: { groups: hears, entries, equal }, ahead };
  }

  /** Whether a peer has said that it lacks nothing of what this relay holds of `slots`, as of now. */
  isCovered(peer: Origin, slots: Iterable<number>): boolean {
    const book = this.#books.get(peer);
    for (const slot of slots) {
      if (book?.covered.get(slot) === this.#holdings.version(slot)) continue;
      if (this.#holdings.entry(slot) !== undefined) return false;
    }
    return true;
  }

  /** A peer left the view: what it lacks when it is back nobody knows. */
  forget(peer: Origin): void {
    this.#books.delete(peer);
  }

  #book(peer: Origin): Book {
    let book = this.#books.get(peer);
    if (!book) this.#books.set(peer, book = newBook());
    return book;
  }

  /** A peer that begins to hear a group anew may have dropped what it had of it. */
  #follow(book: Book, hears: ReadonlySet<number>): void {
    const before = book.hears;
    book.hears = hears;
    const isSame = (group: number) => hears.has(group) === before.has(group);
    if ([...hears, ...before].every(isSame)) return;
    for (const slot of book.covered.keys()) {
      if (!isSame(this.#holdings.groupOf(slot))) book.covered.delete(slot);
    }
  }

  /** The entries of all slots of some groups that the peer is not known to cover. */
  #tell(book: Book, tell: (group: number) => boolean) {
    const holdings = this.#holdings;
    const entries: DigestEntry[] = [], versions = new Map<number, number>();
    for (const slot of holdings.slots()) {
      const version = holdings.version(slot);
      if (book.covered.get(slot) === version || !tell(holdings.groupOf(slot))) continue;
      const entry = holdings.entry(slot);
      if (!entry) continue;
      // A copy: the log moves on while this is on its way.
      entries.push({ ...entry, vector: new Map(entry.vector) });
      versions.set(slot, version);
    }
    return { entries, versions };
  }

  /** In which slots the peer has what this relay lacks, and in which not. */
  #compare(book: Book, entries: readonly DigestEntry[]) {
    const equal: number[] = [], ahead: DigestEntry[] = [];
    for (const entry of entries) {
      if (this.#holdings.pullFrom(entry)) ahead.push(entry);
      else equal.push(entry.slot);
      this.#learn(book, entry);
    }
    return { equal, ahead };
  }

  /** A peer that stands where this relay does lacks nothing, and need not be told. */
  #learn(book: Book, { slot, vector, lost }: DigestEntry): void {
    if (lost.length > 0) return;
    const own = this.#holdings.entry(slot);
    if (own && covers(vector, own.vector)) book.covered.set(slot, this.#holdings.version(slot));
  }
}

const NOTHING: ReadonlyMap<number, number> = new Map<number, number>();

function newBook(): Book {
  return {
    covered: new Map(),
    requested: NOTHING,
    answered: NOTHING,
    equal: [],
    hears: new Set(),
  };
}

/** The peer lacks nothing of what it was told of some slots. */
function confirm(book: Book, told: ReadonlyMap<number, number>, equal: readonly number[]): void {
  for (const slot of equal) {
    const version = told.get(slot);
    if (version !== undefined) book.covered.set(slot, version);
  }
}
