/**
 * A larger receive buffer for a UDP socket: Linux gives 208 KiB, which hold about 166 small packets, a few milliseconds of
 * traffic. Deno has no call for it, so libc is asked.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const AF_INET = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** As the same, beyond `net.core.rmem_max`: for root. */
const SO_RCVBUFFORCE = 33;

/** More descriptors are not searched. */
const MOST_DESCRIPTORS = 65_536;

/** Asked of the kernel per socket. Holds what comes while the process collects garbage. */
export const RECEIVE_BUFFER = 4 << 20;

/**
 * Asks for {@link RECEIVE_BUFFER} for the sockets of this process that are bound to an address.
 *
 * @returns the bytes granted, at most `net.core.rmem_max` but for root. Undefined if it could not be asked: without
 * `--allow-ffi`, or beyond Linux.
 */
export function raiseReceiveBuffer({ hostname, port }: Deno.NetAddr): number | undefined {
  // Asked first, because opening a library without permission would prompt.
  if (Deno.build.os !== "linux" || !ffiAllowed()) return undefined;
  let libc: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    libc = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined;
  }
  try {
    const sockets = boundTo(libc.symbols, socketAddress(hostname, port));
    const granted = [...sockets].map((fd) => raise(libc.symbols, fd));
    return granted.length > 0 ? Math.min(...granted) : undefined;
  } finally {
    libc.close();
  }
}

/** Whether libc may be asked. */
export function ffiAllowed(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
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

/** What a socket gets unasked; 0 if that cannot be read. */
function defaultBuffer(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/sys/net/core/rmem_default"));
  } catch {
    return 0;
  }
}

function raise(libc: Libc, fd: number): number {
  const value = Int32Array.of(RECEIVE_BUFFER), length = Uint32Array.of(value.byteLength);
  const bytes = new Uint8Array(value.buffer);
  const set = (option: number) =>
    libc.setsockopt(fd, SOL_SOCKET, option, bytes, bytes.length) === 0;
  if (!set(SO_RCVBUFFORCE)) set(SO_RCVBUF);
  libc.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, bytes, new Uint8Array(length.buffer));
  // The kernel doubles what it is asked for, and tells the double.
  return (value[0] ?? 0) / 2;
}

/** The first 8 bytes of a `sockaddr_in`: family in the machine's order, port and address in the network's. */
function socketAddress(hostname: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8);
  new Uint16Array(bytes.buffer)[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}

/** Descriptors of sockets with that address. Open ones are numbered densely, so a long stretch of others ends the search. */
function* boundTo(libc: Libc, address: Uint8Array): Iterable<number> {
  const name = new Uint8Array(128), length = new Uint32Array(1);
  for (let fd = 3, others = 0; fd < MOST_DESCRIPTORS && others < 256; fd++, others++) {
    length[0] = name.length;
    if (libc.getsockname(fd, name, new Uint8Array(length.buffer)) !== 0) continue;
    others = 0;
    if (address.every((byte, at) => name[at] === byte)) yield fd;
  }
}
