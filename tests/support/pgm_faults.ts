/**
 * Loss by kind of PGM packet.
 *
 * @module
 */
import { TYPE } from "../../backbone/pgm/packet.ts";

/** The kinds that a test treats differently. */
export type Kind = "data" | "repair" | "nak" | "control";

/** The kind of a datagram, by its type byte. */
export function kindOf(bytes: Uint8Array): Kind {
  switch (bytes[4]) {
    case TYPE.odata:
      return "data";
    case TYPE.rdata:
      return "repair";
    case TYPE.nak:
      return "nak";
    default:
      return "control";
  }
}

/** Shares of 0 to 1, by kind; a kind that is absent passes. */
export type Loss = Partial<Record<Kind, number>>;

/** All kinds at one share. */
export function lossOfAll(share: number): Loss {
  return { data: share, repair: share, nak: share, control: share };
}

/** Draws the loss of datagrams. */
export function dropper(loss: Loss, random: () => number): (bytes: Uint8Array) => boolean {
  return (bytes) => random() < (loss[kindOf(bytes)] ?? 0);
}

/**
 * Draws the loss of datagrams in bursts of `length` on the average (Gilbert's model): each way between two nodes is
 * good or bad, and how often it turns bad makes the share of each kind.
 */
export function burstDropper(
  loss: Loss,
  length: number,
  random: () => number,
): (bytes: Uint8Array, from: number, to: number) => boolean {
  const bad = new Set<number>();
  return (bytes, from, to) => {
    const way = from * 1_000 + to, share = loss[kindOf(bytes)] ?? 0;
    const isBad = bad.has(way) ? random() >= 1 / length : random() < share / (length * (1 - share));
    if (isBad) bad.add(way);
    else bad.delete(way);
    return isBad;
  };
}
