/**
 * Real relays on loopback for tests: a LAN of their own for each test, by multicast addresses and a port that nobody else uses.
 *
 * @module
 */
import { systemClock } from "../../backbone/clock.ts";
import type { RelayOptions } from "../../relay/options.ts";
import { type Relay, startRelay } from "../../relay/relay.ts";

/** Where the relays of one test meet. */
export interface Lan {
  readonly interface: string;
  readonly groupBase: string;
  readonly groupCount: number;
  readonly groupPort: number;
}

/** A LAN on a port that is free now: the system is asked for one, and its groups are told apart by it. */
export function freeLan(groupCount = 4): Lan {
  const probe = Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" });
  const { port } = probe.addr as Deno.NetAddr;
  probe.close();
  const groupBase = `239.193.${port >> 8}.${(port & 255) - (port & 255) % 64}`;
  return { interface: "127.0.0.1", groupBase, groupCount, groupPort: port };
}

/** A relay of a test's LAN. */
export function startTestRelay(
  lan: Lan,
  options: Partial<Pick<RelayOptions, "id" | "openSocket" | "openBackbone" | "log">> = {},
): Promise<Relay> {
  return startRelay({
    ...lan,
    id: "test",
    region: "local",
    clock: systemClock,
    random: Math.random,
    wallMs: Date.now,
    log: () => {},
    ...options,
  });
}

/** Resolves once `condition` holds; looked at whenever the loop turns, for 10 s at most. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** One figure of a relay, summed over its labels. */
export function metric(relay: Relay, name: string): number {
  return relay.upstream.metrics().filter((figure) => figure.name === `groundwave_${name}`)
    .reduce((sum, { value }) => sum + value, 0);
}
