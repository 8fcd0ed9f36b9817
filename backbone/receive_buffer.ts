/**
 * A larger receive buffer for a UDP socket: Linux gives 208 KiB, which hold about 166 small packets, a few milliseconds of
 * traffic. Deno has no call for it, so libc is asked.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

const AF_INET = 2;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
/** As the same, beyond `net.core.rmem_max`: for root. */
const SO_RCVBUFFORCE = 33;

/** More descriptors are not searched. */
const MOST_DESCRIPTORS = 65_536;

/**
 * Asks for `bytes` of receive buffer for the sockets of this process that are bound to an address.
 *
 * @returns whether it was asked for: the kernel grants what `net.core.rmem_max` allows. Not without `--allow-ffi`, nor
 * beyond Linux.
 */
export function raiseReceiveBuffer({ hostname, port }: Deno.NetAddr, bytes: number): boolean {
  if (Deno.build.os !== "linux") return false;
  let libc: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    libc = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return false;
  }
  try {
    const value = new Uint8Array(Int32Array.of(bytes).buffer);
    let raised = false;
    for (const fd of boundTo(libc, socketAddress(hostname, port))) {
      const set = (option: number) =>
        libc.symbols.setsockopt(fd, SOL_SOCKET, option, value, value.length) === 0;
      raised = set(SO_RCVBUFFORCE) || set(SO_RCVBUF) || raised;
    }
    return raised;
  } finally {
    libc.close();
  }
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
function* boundTo(
  libc: Deno.DynamicLibrary<typeof SYMBOLS>,
  address: Uint8Array,
): Iterable<number> {
  const name = new Uint8Array(128), length = new Uint32Array(1);
  for (let fd = 3, others = 0; fd < MOST_DESCRIPTORS && others < 256; fd++, others++) {
    length[0] = name.length;
    if (libc.symbols.getsockname(fd, name, new Uint8Array(length.buffer)) !== 0) continue;
    others = 0;
    if (address.every((byte, at) => name[at] === byte)) yield fd;
  }
}
