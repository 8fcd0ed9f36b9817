/**
 * `groundwave pgm dump`: one line per packet of a group.
 *
 * @module
 */
import { openUdp } from "../../../backbone/udp.ts";
import { defineCommand } from "../command.ts";
import { describePacket } from "./describe.ts";
import { endOf } from "../end.ts";
import { groupFlags, limits } from "./flags.ts";
import { explained, interfaceOf } from "./group.ts";
import { createWallClock } from "./wall_clock.ts";

export const dump = defineCommand({
  name: "pgm dump",
  summary: "one line per packet of a group; what goes to one address alone is not seen",
  operands: [],
  flags: { ...groupFlags, ...limits },
  example: "deno task groundwave pgm dump --seconds 10",
}, async ({ count = Infinity, seconds, ...options }, _operands, terminal) => {
  using end = endOf(terminal, seconds);
  const nowUs = createWallClock(), failed = Promise.withResolvers<never>();
  const error = (_kind: string, cause: unknown) => {
    terminal.err(`${cause instanceof Error ? cause.message : cause}\n`);
  };
  const warn = (advice: string) => terminal.err(`${advice}\n`);
  let seen = 0;
  const datagram = (bytes: Uint8Array, from: { readonly address: string }) => {
    if (end.hasCome) return;
    try {
      terminal.out(`${timeOf(nowUs())} ${from.address} ${describePacket(bytes)}\n`);
    } catch (cause) {
      // Such as a pipe whose reader has seen enough.
      failed.reject(cause);
    }
    if (++seen >= count) end.now();
  };
  let socket: Awaited<ReturnType<typeof openUdp>> | undefined;
  try {
    socket = await openUdp({ interfaceAddress: interfaceOf(options), error, warn });
    await socket.join({ address: options.group, port: options.port }, { datagram, error });
    terminal.err(`hearing ${options.group}:${options.port}\n`);
    await Promise.race([end.promise, failed.promise]);
  } catch (cause) {
    throw explained(cause, options);
  } finally {
    socket?.close();
  }
  return 0;
});

/** The time of day in UTC, to the microsecond. */
function timeOf(wallUs: number): string {
  const second = new Date(wallUs / 1000).toISOString().slice(11, 19);
  return `${second}.${String(Math.floor(wallUs % 1e6)).padStart(6, "0")}`;
}
