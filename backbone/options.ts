/**
 * What a backbone is opened with.
 *
 * @module
 */
import type { Clock } from "./clock.ts";
import type { Credentials } from "./pgm/auth_keys.ts";
import type { OpenSocket } from "./udp.ts";

export interface BackboneOptions {
  /** Our name: 8 base64url characters, drawn at each start. PGM receivers ignore a source that restarts under its old one. */
  readonly origin: string;
  /** The address of the interface to use. */
  readonly interface: string;
  /** The control group's address; the pool's follow it. */
  readonly groupBase: string;
  /** How many groups the pool has. */
  readonly groupCount: number;
  /** UDP port, and PGM destination port. */
  readonly groupPort: number;
  /** How far packets go: one more than the routers they may pass. 1, the LAN, if absent. */
  readonly ttl?: number;
  /** Whether payloads may share packets, which only our own receivers take apart; true if absent. */
  readonly pack?: boolean;
  /** Hears and is heard by those alone who have a key of these; if absent, by those without one. */
  readonly credentials?: Credentials | undefined;
  readonly clock: Clock;
  /** A random number, 0 ≤ n < 1. */
  readonly random: () => number;
  /** The system's UDP if absent. */
  readonly openSocket?: OpenSocket;
  /** Told once, if the system's sockets give less than is good: what is wrong, and how to mend it. */
  readonly warn?: (advice: string) => void;
}
