/**
 * One relay's view of the others, driven by a test.
 *
 * @module
 */
import {
  Membership,
  MEMBERSHIP_TIMERS,
  type MembershipEvent,
  type Self,
} from "../../relay/machines/membership.ts";
import type { Origin } from "../../relay/protocol/message.ts";

const { announceMs } = MEMBERSHIP_TIMERS;

/** Who looks, at region `local`. */
export function self(origin: Origin, more: Partial<Self> = {}): Self {
  return { origin, node: `node ${origin}`, region: "local", ...more };
}

/** What has come up, as text. */
export function drain(membership: Membership): string[] {
  const events = [];
  for (let event; (event = membership.pollEvent());) events.push(textOf(event));
  return events;
}

function textOf(event: MembershipEvent): string {
  if (event.type === "settled") return "settled";
  const { origin } = event.peer;
  if (event.type === "left") return `left ${origin}: ${event.reason}`;
  return event.type === "odd" ? `${event.oddity} ${origin}` : `${event.type} ${origin}`;
}

/** Time passes, looked at as often as it has to be. */
export function pass(membership: Membership, fromMs: number, untilMs: number): void {
  for (let nowMs = fromMs; nowMs < untilMs; nowMs += announceMs) membership.handleTimeout(nowMs);
  membership.handleTimeout(untilMs);
}

/** Runs a membership until `untilMs`; answers when it announced, with `?` where it solicited. */
export function run(membership: Membership, fromMs: number, untilMs: number): string[] {
  const sent = [];
  for (
    let nowMs = fromMs;
    nowMs <= untilMs;
    nowMs = Math.max(nowMs + 1, membership.nextTimeoutMs())
  ) {
    membership.handleTimeout(nowMs);
    const due = membership.pollAnnouncement(nowMs);
    if (due) sent.push(`${nowMs}${due.solicit ? "?" : ""}`);
  }
  return sent;
}
