/**
 * What holds for the whole machine.
 *
 * @module
 */
import { ffiAllowed } from "../../../backbone/libc.ts";
import { bufferAdvice, raiseReceiveBuffer } from "../../../backbone/receive_buffer.ts";
import { type Finding, ok, trouble } from "./finding.ts";

/** Reads a small file of /proc or /sys; undefined if there is none. */
export type Read = (path: string) => string | undefined;

/** The system's own files, trimmed. */
export const readSystem: Read = (path) => {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
};

export function checkHost(read: Read): Finding[] {
  return [checkFfi(), checkBuffer(grantedBuffer()), checkMemberships(read)];
}

function checkFfi(): Finding {
  return ffiAllowed() ? ok("ffi", "allowed") : trouble(
    "warn",
    "ffi",
    "not allowed, so that buffers keep their defaults",
    "run with --allow-ffi",
  );
}

/** What a socket gets of the receive buffer that a node asks for. */
function grantedBuffer(): number | undefined {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "0.0.0.0", port: 0 });
  try {
    return raiseReceiveBuffer(socket.addr as Deno.NetAddr);
  } finally {
    socket.close();
  }
}

/** @param granted bytes; undefined if the kernel could not be asked for more. */
export function checkBuffer(granted: number | undefined): Finding {
  const about = "receive buffer", advice = bufferAdvice(granted);
  if (advice !== undefined) return trouble("warn", about, advice.says, advice.mend);
  return ok(about, granted === undefined ? "large by default" : `${granted / 1024} KiB`);
}

/** A node uses one membership per socket. */
export function checkMemberships(read: Read): Finding {
  const about = "memberships", key = "igmp_max_memberships";
  const most = read(`/proc/sys/net/ipv4/${key}`);
  if (most === undefined) return ok(about, "limit unknown on this system");
  return Number(most) >= 1
    ? ok(about, `${most} groups per socket, of which a node uses 1`)
    : trouble("fail", about, "no group may be joined", `sysctl -w net.ipv4.${key}=20`);
}
