/**
 * One relay: hears and is heard on the LAN, keeps the logs of the groups somebody here follows, serves an edge.
 *
 * @module
 */
import { openBackbone } from "../backbone/endpoint.ts";
import { CONTROL } from "./intake.ts";
import { warnIfOpen } from "./key_watch.ts";
import { newOrigin } from "./new_names.ts";
import type { RelayOptions } from "./options.ts";
import type { Upstream } from "./protocol/upstream.ts";
import { type Acting, acting } from "./wiring/acting.ts";
import { type Keeping, keeping } from "./wiring/keeping.ts";
import { type Meeting, meeting } from "./wiring/meeting.ts";

export interface Relay {
  readonly upstream: Upstream;
  /** Resolves when it has found the others, or itself alone. */
  readonly settled: Promise<void>;
  /** Takes nothing new and ends every subscription with `draining`. Idempotent. */
  drain(): void;
  /** Leaves the LAN. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts a relay. Resolves once it is on the LAN; {@link Relay.settled} tells when it knows who else is.
 * @throws {ArchiveTrouble} if its own archive cannot be used.
 */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  await using stack = new AsyncDisposableStack();
  const own = <T extends { close(): void | Promise<void> }>(part: T): T =>
    stack.adopt(part, () => part.close());
  const { openBackbone: open = openBackbone, origin = newOrigin(), log } = options;
  const life = { ...options, origin }, warn = (advice: string) => log("warn", advice);
  warnIfOpen(options);

  const kept: Keeping = keeping(life, own, () => met, () => acts);
  const met: Meeting = meeting(life, own, kept, () => acts);
  const backbone = own(await open({ ...life, warn }, met.intake));
  const acts: Acting = acting(life, own, backbone, { ...kept, ...met });

  const { table, registry, archive } = kept, { announcer } = met, { cluster, upstream } = acts;
  stack.defer(() => upstream.drain());
  // The new custodians of what was moved lack it, and others look at our hash for what they need to know.
  stack.defer(table.onChange((slots) => {
    upstream.moved(slots);
    // Of the others the old groups have merely become quiet.
    cluster.moved(slots.filter((slot) => table.groupsOf(slot).length > 1));
    announcer.changed();
  }));
  await registry?.start();
  // Who is heard by then has been there all along.
  await backbone.join(CONTROL);
  await archive?.start();
  announcer.start();

  const running = stack.move();
  return {
    upstream,
    settled: announcer.settled,
    drain: () => upstream.drain(),
    async close() {
      upstream.drain();
      await cluster.handOver();
      announcer.leave();
      await running.disposeAsync();
    },
  };
}
