/**
 * The flags of the `pgm` commands.
 *
 * @module
 */
import { flag, integer, multicast, optional, type Options, toggle } from "../flag.ts";
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

export const ttl = flag("HOPS", "how far packets go; 1: this LAN", integer(1, 255), 1);

/** How long a command goes on; until it is interrupted without either. */
export const limits = {
  count: optional("N", "end after so many", integer(1, 1e12)),
  seconds: optional("N", "end after so many seconds", integer(1, 1e6)),
} as const;

export const json = toggle("end with the figures as one JSON object on one line");
