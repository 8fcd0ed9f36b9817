/** Views of relays that hear each other, some of the time. */
import assert from "node:assert/strict";
import { Membership } from "../../../relay/machines/membership.ts";
import type { Announcement } from "../../../relay/protocol/announcement.ts";
import type { Origin } from "../../../relay/protocol/message.ts";
import { announcement } from "../../support/announcement.ts";
import { self } from "../../support/memberships.ts";
import { seededRandom } from "../../support/random.ts";

/** A LAN of relays under virtual time, where each path from one to another is open or not. */
class Lan {
  readonly members: Membership[];
  nowMs = 0;
  /** Whether what `from` sends arrives at `to`: by multicast and by unicast alike. */
  open: (from: number, to: number) => boolean = () => true;
  readonly dead = new Set<number>();

  constructor(count: number) {
    this.members = Array.from(
      { length: count },
      (_, n) => new Membership(self(name(n)), 0),
    );
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.nowMs += 10) {
      this.members.forEach((_, n) => this.dead.has(n) || this.#step(n));
    }
  }

  #step(n: number): void {
    const membership = this.members[n] as Membership;
    membership.handleTimeout(this.nowMs);
    const due = membership.pollAnnouncement(this.nowMs);
    if (due) this.#announce(n, { ...due, hears: membership.hears(this.nowMs) });
    for (let event; (event = membership.pollEvent());) {
      if (event.type !== "probe") continue;
      const to = this.members.findIndex((_, n) => name(n) === event.peer.origin);
      const path = this.open(n, to) && this.open(to, n);
      const result = !path ? "unreachable" : this.dead.has(to) ? "refused" : "alive";
      membership.handleProbe(event.peer.origin, result, this.nowMs);
    }
  }

  #announce(from: number, more: Partial<Announcement>): void {
    this.members.forEach((membership, to) => {
      if (to === from || this.dead.has(to) || !this.open(from, to)) return;
      membership.handleAnnouncement(announcement(name(from), more), this.nowMs);
    });
  }

  /** Whom a relay counts for custody. */
  mutual(n: number): string[] {
    return this.#of(n).peers.filter(({ mutual }) => mutual).map(({ origin }) => origin).sort();
  }

  inView(n: number): string[] {
    return this.#of(n).peers.map(({ origin }) => origin).sort();
  }

  unreachable(n: number): string[] {
    return this.#of(n).unreachable.map(({ origin }) => origin);
  }

  #of(n: number): Membership {
    return this.members[n] as Membership;
  }
}

function name(n: number): Origin {
  return `relay__${n}`;
}

Deno.test("where one hears the other but not the other way round, neither counts the other", () => {
  const lan = new Lan(3);
  lan.run(2000);
  assert.deepEqual([0, 1, 2].map((n) => lan.mutual(n).length), [2, 2, 2]);
  lan.open = (from, to) => !(from === 1 && to === 0);
  lan.run(4000);
  assert.deepEqual(lan.mutual(0), [name(2)]);
  assert.deepEqual(lan.mutual(1), [name(2)]);
  assert.deepEqual(lan.mutual(2), [name(0), name(1)]);
  assert.deepEqual(lan.unreachable(0), [name(1)]);
  assert.deepEqual(lan.inView(1), [name(0), name(2)]);
  lan.open = () => true;
  lan.run(2000);
  assert.deepEqual([0, 1, 2].map((n) => lan.mutual(n).length), [2, 2, 2]);
  assert.deepEqual(lan.unreachable(0), []);
});

Deno.test("a relay that is killed is known to be dead within 2 s, one that is cut off is looked for until it is back", () => {
  const lan = new Lan(3);
  lan.run(2000);
  lan.dead.add(2);
  lan.run(2000);
  assert.deepEqual([lan.inView(0), lan.unreachable(0)], [[name(1)], []]);
  lan.open = (from, to) => from < 1 === to < 1;
  lan.run(30_000);
  assert.deepEqual([lan.inView(0), lan.unreachable(0)], [[], [name(1)]]);
  assert.deepEqual([lan.inView(1), lan.unreachable(1)], [[], [name(0)]]);
  lan.open = () => true;
  lan.run(1000);
  assert.deepEqual([lan.mutual(0), lan.mutual(1)], [[name(1)], [name(0)]]);
});

Deno.test("however paths flap, views agree soon after they are quiet, and nobody is told dead who lives", () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = seededRandom(seed), lan = new Lan(4);
    const met: string[][] = [];
    for (let times = 0; times < 12; times++) {
      const shut = Array.from({ length: 16 }, () => random() < 0.4);
      lan.open = (from, to) => !shut[4 * from + to];
      lan.run(200 + 3000 * random());
      for (let n = 0; n < 4; n++) {
        const known = [...lan.inView(n), ...lan.unreachable(n)];
        for (const origin of met[n] ?? []) assert.ok(known.includes(origin), `seed ${seed}`);
        met[n] = known;
      }
    }
    lan.open = () => true;
    lan.run(2000);
    for (let n = 0; n < 4; n++) {
      assert.equal(lan.mutual(n).length, 3, `seed ${seed}`);
      assert.deepEqual(lan.unreachable(n), [], `seed ${seed}`);
    }
  }
});
