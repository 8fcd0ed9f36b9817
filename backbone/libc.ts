/**
 * Calls to the system that Deno lacks, made to libc where that is allowed.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  // Lengths and results of these fit 32 bits: they are of datagrams.
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i32" },
  // Of a thread of its own: the others go on.
  usleep: { parameters: ["u32"], result: "i32", nonblocking: true },
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "i32" },
} as const;

/** Linux's C library. To be closed. */
export type Libc = Deno.DynamicLibrary<typeof SYMBOLS>;

const AF_INET = 2;
export const SOL_SOCKET = 1;
export const MSG_DONTWAIT = 0x40;
/** Of a `sockaddr_in`: family, port, address, and 8 bytes of nothing. */
export const ADDRESS_BYTES = 16;

/** More descriptors are not searched. */
const MOST_DESCRIPTORS = 65_536;

/** Whether libc may be asked. */
export function ffiAllowed(): boolean {
  return Deno.permissions.querySync({ name: "ffi" }).state === "granted";
}

/** Undefined without `--allow-ffi`, or beyond Linux. */
export function openLibc(): Libc | undefined {
  // Asked first, because opening a library without permission would prompt.
  if (Deno.build.os !== "linux" || !ffiAllowed()) return undefined;
  try {
    return Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return undefined;
  }
}

/** A `sockaddr_in`: family in the machine's order, port and address in the network's. */
export function socketAddress(hostname: string, port: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(ADDRESS_BYTES);
  new Uint16Array(bytes.buffer)[0] = AF_INET;
  new DataView(bytes.buffer).setUint16(2, port);
  bytes.set(hostname.split(".").map(Number), 4);
  return bytes;
}

/**
 * Descriptors of this process's sockets that are bound to an address. Open ones are numbered densely, so a long stretch of
 * others ends the search.
 */
export function* descriptorsOf(
  { symbols }: Libc,
  { hostname, port }: Deno.NetAddr,
): Iterable<number> {
  const address = socketAddress(hostname, port).subarray(0, 8);
  const name = new Uint8Array(128), length = new Uint32Array(1);
  for (let fd = 3, others = 0; fd < MOST_DESCRIPTORS && others < 256; fd++, others++) {
    length[0] = name.length;
    if (symbols.getsockname(fd, name, new Uint8Array(length.buffer)) !== 0) continue;
    others = 0;
    if (address.every((byte, at) => name[at] === byte)) yield fd;
  }
}

/** The one descriptor of an address; undefined if several sockets share it, or none has it. */
export function descriptorOf(libc: Libc, address: Deno.NetAddr): number | undefined {
  const [fd, ...others] = descriptorsOf(libc, address);
  return others.length > 0 ? undefined : fd;
}
