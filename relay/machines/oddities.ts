/**
 * What is wrong with other relays, for an operator: told once of each.
 *
 * @module
 */
import type { Announcement } from "../protocol/announcement.ts";
import { SESSION_VERSION } from "../protocol/frames.ts";
import type { Origin } from "../protocol/message.ts";

/** It has the name of another live one, another version, region or time of day. */
export type Oddity = "same id" | "version" | "region" | "clock";

/** Clocks that are further apart are worth a word. */
const MAX_APART_MS = 60_000;

/** More are not told of, so that forged announcements fill neither memory nor log. */
const MAX_TOLD = 1024;

export class Oddities {
  readonly #self: { readonly node: string; readonly region: string };
  readonly #tell: (oddity: Oddity, peer: Announcement) => void;
  readonly #told = new Set<string>();

  constructor(
    self: { readonly node: string; readonly region: string },
    tell: (oddity: Oddity, peer: Announcement) => void,
  ) {
    this.#self = self;
    this.#tell = tell;
  }

  /** Whether a relay is one of ours. Those of another version do not understand each other: they are not there for each other. */
  checkKind(announcement: Announcement): boolean {
    if (announcement.region !== this.#self.region) this.#tellOnce("region", announcement);
    if (announcement.version === SESSION_VERSION) return true;
    this.#tellOnce("version", announcement);
    return false;
  }

  /** A relay announces itself again, though `other` in view came later under its name, or this relay has it: both live. */
  checkName(announcement: Announcement, other: Origin | undefined): void {
    const isOther = other !== undefined && other !== announcement.origin;
    if (isOther || announcement.node === this.#self.node) this.#tellOnce("same id", announcement);
  }

  /** Its time of day is so many milliseconds after this relay's. */
  checkClock(announcement: Announcement, apartMs: number): void {
    if (Math.abs(apartMs) >= MAX_APART_MS) this.#tellOnce("clock", announcement);
  }

  #tellOnce(oddity: Oddity, peer: Announcement): void {
    const key = `${oddity} ${peer.origin}`;
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(key);
    this.#tell(oddity, peer);
  }
}
