/**
 * Drops connections whose clients have stopped reading. The runtime cannot: closing waits behind what the client does not
 * take, and the kernel holds up to 4 MB of that for as long as the client likes. Deno has no call for it, so libc is asked.
 *
 * @module
 */

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

type Libc = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

const AF_INET = 2, AF_INET6 = 10;
const SOL_SOCKET = 1, SO_ACCEPTCONN = 30;
const IPPROTO_TCP = 6, TCP_USER_TIMEOUT = 18;

/** Descriptors are numbered densely: so many in a row that are none of ours end the search. */
const MOST_OTHERS = 256;

/**
 * Lets the kernel reset whatever is accepted from now on at a port this process listens on, once its peer has neither
 * acknowledged nor made room for what waits for it for `ms` (RFC 5482; Linux hands the option of a listening socket on).
 * Without effect where libc cannot be asked: without `--allow-ffi`, or beyond Linux.
 */
export function dropStalled(port: number, ms: number): void {
  // Asked first, because opening a library without permission would prompt.
  const allowed = Deno.permissions.querySync({ name: "ffi" }).state === "granted";
  if (Deno.build.os !== "linux" || !allowed) return;
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen("libc.so.6", SYMBOLS);
  } catch {
    return;
  }
  const { symbols: libc } = library;
  const value = new Uint8Array(Uint32Array.of(ms).buffer);
  for (const fd of listeningAt(libc, port)) {
    libc.setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, value, value.length);
  }
  library.close();
}

function* listeningAt(libc: Libc, port: number): Iterable<number> {
  const name = new Uint8Array(128), length = new Uint32Array(1);
  for (let fd = 3, others = 0; others < MOST_OTHERS; fd++, others++) {
    length[0] = name.length;
    if (libc.getsockname(fd, name, new Uint8Array(length.buffer)) !== 0) continue;
    others = 0;
    if (portOf(name) === port && isListening(libc, fd)) yield fd;
  }
}

/** Both families begin with themselves, in the machine's order, and the port, in the network's. */
function portOf(name: Uint8Array<ArrayBuffer>): number | undefined {
  const view = new DataView(name.buffer), [family] = new Uint16Array(name.buffer);
  return family === AF_INET || family === AF_INET6 ? view.getUint16(2) : undefined;
}

function isListening(libc: Libc, fd: number): boolean {
  const flag = new Uint32Array(1), length = Uint32Array.of(flag.byteLength);
  const bytes = new Uint8Array(flag.buffer);
  libc.getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, bytes, new Uint8Array(length.buffer));
  return flag[0] === 1;
}
