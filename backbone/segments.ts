/**
 * Datagrams sent by libc: what a call of Deno's adds is felt. Many of one length go by one call, too: Linux takes them as one
 * buffer and cuts it up at the latest moment (UDP_SEGMENT, from 4.18 on), so most of what a send costs is paid once for all.
 *
 * @module
 */
import { ADDRESS_BYTES, descriptorOf, type Libc, MSG_DONTWAIT, socketAddress } from "./libc.ts";
import type { Target } from "./udp.ts";

const SOL_UDP = 17;
const UDP_SEGMENT = 103;

/** Of one call: the kernel's own bounds are 64 and the largest datagram. */
const MOST_DATAGRAMS = 32;
const MOST_BYTES = 65_507;

export class Segments {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #buffer = new Uint8Array(MOST_BYTES);
  readonly #size = new Int32Array(1);
  readonly #sizeBytes = new Uint8Array(this.#size.buffer);
  /** The same few groups again and again. */
  readonly #addresses = new WeakMap<Target, Uint8Array<ArrayBuffer>>();
  /** The kernel may know no segments, or not for this interface. */
  #works = true;

  private constructor(libc: Libc, fd: number) {
    this.#libc = libc;
    this.#fd = fd;
  }

  /** For the socket that is bound to an address; undefined if its descriptor cannot be told. */
  static of(libc: Libc, address: Deno.NetAddr): Segments | undefined {
    const fd = descriptorOf(libc, address);
    return fd === undefined ? undefined : new Segments(libc, fd);
  }

  /**
   * Sends as many of `datagrams`, from index `at` on, as one call takes: of one length, but for a shorter last one.
   * Answers how many went; 0: the first has to go another way.
   */
  send(datagrams: readonly Uint8Array[], at: number, to: Target): number {
    const size = datagrams[at]?.length ?? 0;
    let count = 0, bytes = 0;
    const most = this.#works ? MOST_DATAGRAMS : 1;
    for (let last = size; last === size && count < most; count++) {
      const datagram = datagrams[at + count];
      last = datagram?.length ?? 0;
      // An empty one would vanish among the others.
      if (datagram === undefined || last === 0 || last > size || bytes + last > MOST_BYTES) break;
      this.#buffer.set(datagram, bytes);
      bytes += last;
    }
    if (count === 0) return 0;
    if (count === 1) return this.#sendBytes(bytes, to) ? 1 : 0;
    this.#works &&= this.#setSize(size);
    if (!this.#works) return 0;
    const sent = this.#sendBytes(bytes, to);
    // What else is sent by this socket is to stay whole.
    this.#setSize(0);
    return sent ? count : 0;
  }

  #sendBytes(bytes: number, to: Target): boolean {
    const { sendto } = this.#libc.symbols, length = BigInt(bytes), address = this.#addressOf(to);
    const sent = sendto(this.#fd, this.#buffer, length, MSG_DONTWAIT, address, ADDRESS_BYTES);
    return sent === bytes;
  }

  #addressOf(to: Target): Uint8Array<ArrayBuffer> {
    let address = this.#addresses.get(to);
    if (!address) this.#addresses.set(to, address = socketAddress(to.address, to.port));
    return address;
  }

  #setSize(size: number): boolean {
    this.#size[0] = size;
    const { setsockopt } = this.#libc.symbols;
    return setsockopt(this.#fd, SOL_UDP, UDP_SEGMENT, this.#sizeBytes, 4) === 0;
  }
}
