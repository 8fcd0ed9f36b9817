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
