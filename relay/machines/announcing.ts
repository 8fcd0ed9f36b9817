/**
 * When a relay announces itself: steadily, soon after something about it has changed, and three times at the start, asking
 * who else is there.
 *
 * @module
 */

/** When to announce, in milliseconds. */
export interface AnnouncingTimers {
  /** Between two announcements of one relay. */
  readonly announceMs: number;
  /** A starting relay that has asked three times in so long, and heard nobody, is alone. */
  readonly settleMs: number;
  /** A relay answers solicitations, and tells of changes, at most this often. */
  readonly answerMs: number;
}

/** An announcement that is to be sent. */
export interface DueAnnouncement {
  /** Everybody is to answer. */
  readonly solicit: boolean;
  /** It says what others do not know yet; else they merely hear that this relay is still there. */
  readonly isNews: boolean;
}

/** One lost datagram must not make a starting relay feel alone, nor a process that stood still while it asked. */
const SOLICITATIONS = 3;

export class Announcing {
  readonly #timers: AnnouncingTimers;
  /** How often it has asked who is there, and when it asks again, or has waited long enough after the last time. */
  #solicited = 0;
  #solicitAtMs: number;
  #settled = false;
  #announceAtMs: number;
  #announcedMs = -Infinity;
  /** What it says next is new, or waited for. */
  #isNews = true;

  constructor(timers: AnnouncingTimers, nowMs: number) {
    this.#timers = timers;
    this.#announceAtMs = nowMs;
    this.#solicitAtMs = nowMs;
  }

  /** Whoever is there had time to answer. */
  get settled(): boolean {
    return this.#settled;
  }

  /** When an announcement is due, or it has settled. */
  get dueMs(): number {
    return this.#settled ? this.#announceAtMs : Math.min(this.#announceAtMs, this.#solicitAtMs);
  }

  /** What this relay says of itself has changed, or somebody has asked: it is announced soon. */
  handleChange(nowMs: number): void {
    const soonMs = Math.max(nowMs, this.#announcedMs + this.#timers.answerMs);
    this.#announceAtMs = Math.min(this.#announceAtMs, soonMs);
    this.#isNews = true;
  }

  /** Time has passed; true once, when it has settled. */
  handleTimeout(nowMs: number): boolean {
    if (this.#settled || this.#solicited < SOLICITATIONS || nowMs < this.#solicitAtMs) return false;
    this.#settled = true;
    return true;
  }

  /** The announcement that is due; asking takes it. */
  poll(nowMs: number): DueAnnouncement | undefined {
    if (nowMs < this.#announceAtMs) return undefined;
    this.#announceAtMs = nowMs + this.#timers.announceMs;
    // Answers to solicitations in between do not solicit, or two starting relays would answer each other without end.
    const solicit = this.#solicited < SOLICITATIONS && nowMs >= this.#solicitAtMs;
    if (solicit) {
      this.#solicited += 1;
      this.#solicitAtMs = nowMs + this.#timers.settleMs / SOLICITATIONS;
    }
    if (!this.#settled) this.#announceAtMs = Math.min(this.#announceAtMs, this.#solicitAtMs);
    this.#announcedMs = nowMs;
    const isNews = this.#isNews;
    this.#isNews = !this.#settled;
    return { solicit, isNews };
  }
}
