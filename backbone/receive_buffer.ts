/**
 * A larger receive buffer for a UDP socket: Linux gives 208 KiB, which hold about 166 small packets, a few milliseconds of
 * traffic. Deno has no call for it, so libc is asked.
 *
 * @module
 */
import { descriptorsOf, type Libc, openLibc, SOL_SOCKET } from "./libc.ts";

const SO_RCVBUF = 8;
/** As the same, beyond `net.core.rmem_max`: for root. */
const SO_RCVBUFFORCE = 33;

/** Asked of the kernel per socket. Holds what comes while the process collects garbage. */
export const RECEIVE_BUFFER = 4 << 20;

/**
 * Asks for {@link RECEIVE_BUFFER} for the sockets of this process that are bound to an address.
 *
 * @returns the bytes granted, at most `net.core.rmem_max` but for root. Undefined if it could not be asked: without
 * `--allow-ffi`, or beyond Linux.
 */
export function raiseReceiveBuffer(address: Deno.NetAddr): number | undefined {
  const libc = openLibc();
  if (libc === undefined) return undefined;
  try {
    const granted = [...descriptorsOf(libc, address)].map((fd) => raise(libc, fd));
    return granted.length > 0 ? Math.min(...granted) : undefined;
  } finally {
    libc.close();
  }
}

/** What is wrong with a buffer, and the command that mends it. */
export interface BufferAdvice {
  readonly says: string;
  readonly mend: string;
}

/** What to tell an operator about what {@link raiseReceiveBuffer} answered; undefined: nothing. */
export function bufferAdvice(granted: number | undefined): BufferAdvice | undefined {
  if (Deno.build.os !== "linux" || (granted ?? defaultBuffer()) >= RECEIVE_BUFFER) return undefined;
  const mend = (key: string) => `sysctl -w net.core.${key}=${RECEIVE_BUFFER}`;
  if (granted === undefined) {
    const says = "not raised, because FFI is not allowed: bursts may be lost";
    return { says, mend: mend("rmem_default") };
  }
  const kib = (bytes: number) => `${Math.round(bytes / 1024)} KiB`;
  const says = `${kib(granted)} in place of ${kib(RECEIVE_BUFFER)}: bursts may be lost`;
  return { says, mend: mend("rmem_max") };
}

/** What a socket holds after {@link raiseReceiveBuffer} answered so, in bytes of packets and what the kernel adds to each. */
export function bufferBytes(granted: number | undefined): number {
  return granted === undefined ? defaultBuffer() : 2 * granted;
}

/** What a socket gets unasked; 0 if that cannot be read. */
function defaultBuffer(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/sys/net/core/rmem_default"));
  } catch {
    return 0;
  }
}

function raise({ symbols }: Libc, fd: number): number {
  const value = Int32Array.of(RECEIVE_BUFFER), length = Uint32Array.of(value.byteLength);
  const bytes = new Uint8Array(value.buffer);
  const set = (option: number) =>
    symbols.setsockopt(fd, SOL_SOCKET, option, bytes, bytes.length) === 0;
  if (!set(SO_RCVBUFFORCE)) set(SO_RCVBUF);
  symbols.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, bytes, new Uint8Array(length.buffer));
  // The kernel doubles what it is asked for, and tells the double.
  return (value[0] ?? 0) / 2;
}
