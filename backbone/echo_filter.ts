/**
 * Has the kernel drop what comes back to us of our own: a group's member hears itself, and a busy source would fill its
 * buffer with that before it reads what others ask of it. A classic BPF program on the socket (`SO_ATTACH_FILTER`).
 *
 * @module
 */
import { type Libc, SOL_SOCKET } from "./libc.ts";

const SO_ATTACH_FILTER = 26;
const PROGRAM_HEAD_BYTES = 16;

/** A part of a datagram: its bytes from `at` on, big-endian, are `value`. */
export interface Word {
  readonly at: number;
  readonly bytes: 2 | 4;
  readonly value: number;
}

/** Filters of UDP sockets see the UDP header, too. */
const UDP_HEADER_BYTES = 8;
/** Of a `sock_filter`: code 2, jump if true 1, jump if false 1, operand 4. */
const INSTRUCTION_BYTES = 8;
const LOAD = { 2: 0x28, 4: 0x20 } as const;
const JUMP_IF_EQUAL = 0x15;
const RETURN = 0x06;
const WHOLE_DATAGRAM = 0xffff_ffff;

/** Lets a socket receive no datagram that has all of `words`. Shorter ones are dropped as well. Without effect where the kernel refuses. */
export function dropEcho({ symbols }: Libc, fd: number, words: readonly Word[]): void {
  const program = compile(words);
  // A `sock_fprog`: the number of instructions in 2 bytes, 6 of nothing, where they are. They follow in the same buffer,
  // which the call keeps from being collected.
  const bytes = new Uint8Array(PROGRAM_HEAD_BYTES + program.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, program.length / INSTRUCTION_BYTES, true);
  const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
  view.setBigUint64(8, BigInt(start) + BigInt(PROGRAM_HEAD_BYTES), true);
  bytes.set(program, PROGRAM_HEAD_BYTES);
  symbols.setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, bytes, PROGRAM_HEAD_BYTES);
}

/** Compares word by word; the first that differs jumps to the end, where the datagram is accepted. */
function compile(words: readonly Word[]): Uint8Array<ArrayBuffer> {
  const accept = 2 * words.length + 1;
  const code = words.flatMap(({ at, bytes, value }, index) => [
    [LOAD[bytes], 0, UDP_HEADER_BYTES + at],
    [JUMP_IF_EQUAL, accept - (2 * index + 2), value],
  ]);
  const program = [...code, [RETURN, 0, 0], [RETURN, 0, WHOLE_DATAGRAM]];
  const bytes = new Uint8Array(INSTRUCTION_BYTES * program.length);
  const view = new DataView(bytes.buffer);
  program.forEach(([operation = 0, jumpIfFalse = 0, operand = 0], index) => {
    const at = INSTRUCTION_BYTES * index;
    view.setUint16(at, operation, true);
    view.setUint8(at + 3, jumpIfFalse);
    view.setUint32(at + 4, operand, true);
  });
  return bytes;
}
