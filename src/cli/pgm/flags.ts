/**
 * The flags of the `pgm` commands.
 *
 * @module
 */
import { flag, integer, multicast, optional, type Options, text, toggle } from "../flag.ts";
import { interfaceAddress } from "../node_flags.ts";

/** Which group, and from where. */
export const groupFlags = {
  group: flag("ADDRESS", "multicast group", multicast, "239.192.7.1"),
  port: flag("PORT", "UDP port, and PGM destination port", integer(1, 65535), 3055),
  interface: optional(
    "IP",
    "local address for multicast (the only one there is)",
    interfaceAddress,
  ),
} as const;

export type GroupOptions = Options<typeof groupFlags>;

const ORIGIN = "[A-Za-z0-9_-]{8}";

/** The name by which a receiver acknowledges, and a sender tags it. */
export const origin = optional(
  "ORIGIN",
  "name to acknowledge under, for a sender's --tag (random)",
  text(new RegExp(`^${ORIGIN}$`), "8 letters, digits, dashes or underscores"),
);

export const tag = optional(
  "ORIGINS",
  "receivers to keep pace with, by --origin, separated by commas",
  text(new RegExp(`^${ORIGIN}(,${ORIGIN})*$`), "origins of 8 characters, separated by commas"),
);

export const ttl = flag("HOPS", "how far packets go; 1: this LAN", integer(1, 255), 1);

/** How long a command goes on; until it is interrupted without either. */
export const limits = {
  count: optional("N", "end after so many", integer(1, 1e12)),
  seconds: optional("N", "end after so many seconds", integer(1, 1e6)),
} as const;

export const json = toggle("end with the figures as one JSON object on one line");
