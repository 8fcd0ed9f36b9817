/**
 * Backbones at loopback, and sockets for them that send nowhere.
 *
 * @module
 */
import type { Backbone, BackboneEvents } from "../../backbone/backbone.ts";
import { systemClock } from "../../backbone/clock.ts";
import { openBackbone } from "../../backbone/endpoint.ts";
import type { BackboneOptions } from "../../backbone/options.ts";
import type { OpenSocket } from "../../backbone/udp.ts";
import { seededRandom } from "./random.ts";
import type { VirtualClock } from "./virtual_clock.ts";

/** A backbone at loopback, which is told nothing unless it is said otherwise. */
export function openLoopback(
  origin: string,
  groupPort: number,
  events: Partial<BackboneEvents> = {},
  more: Partial<BackboneOptions> = {},
): Promise<Backbone> {
  const options = {
    origin,
    interface: "127.0.0.1",
    groupBase: "239.192.7.0",
    groupCount: 4,
    groupPort,
    clock: systemClock,
    random: seededRandom(origin.charCodeAt(0)),
    ...more,
  };
  return openBackbone(options, { message: () => {}, lost: () => {}, ...events });
}

/** Waits for a promise, for a bounded time. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T | "late"> {
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sockets that send nowhere, and note what was asked of them: an address per datagram, or joined and left. */
export function notingSocket(notes: string[]): OpenSocket {
  return () =>
    Promise.resolve({
      send: () => Promise.resolve(),
      sendAll: (datagrams, { address }) => {
        for (const _ of datagrams) notes.push(address);
        return Promise.resolve();
      },
      join: ({ address }) => {
        notes.push(`join ${address}`);
        return Promise.resolve(() => notes.push(`leave ${address}`));
      },
      receiveBuffer: () => 1 << 20,
      close: () => {},
    });
}

/** Lets what was promised happen, but no time pass. */
export const settled = () => new Promise((resolve) => setTimeout(resolve));

/** Lets time pass in steps, and after each what it set off. */
export async function pass(clock: VirtualClock, steps: number, stepMs: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    clock.advance(stepMs);
    await settled();
  }
}
