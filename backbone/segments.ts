/**
 * Many datagrams of one length by one call: Linux takes them as one buffer and cuts it up at the latest moment (UDP_SEGMENT,
 * from 4.18 on). Most of what a send costs is paid once for all of them.
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
  #to: Target | undefined;
  #address = new Uint8Array(ADDRESS_BYTES);
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
   * Answers how many went; 0: they have to go one by one.
   */
  send(datagrams: readonly Uint8Array[], at: number, to: Target): number {
    const size = datagrams[at]?.length ?? 0;
    let count = 0, bytes = 0;
    for (let last = size; this.#works && last === size && count < MOST_DATAGRAMS; count++) {
      const datagram = datagrams[at + count];
      last = datagram?.length ?? 0;
      // An empty one would vanish among the others.
      if (datagram === undefined || last === 0 || last > size || bytes + last > MOST_BYTES) break;
      this.#buffer.set(datagram, bytes);
      bytes += last;
    }
    return count > 1 && this.#sendSegments(size, bytes, to) ? count : 0;
  }

  #sendSegments(size: number, bytes: number, to: Target): boolean {
    if (this.#to !== to) {
      this.#address = socketAddress(to.address, to.port);
      this.#to = to;
    }
    this.#works = this.#setSize(size);
    if (!this.#works) return false;
    const { sendto } = this.#libc.symbols, length = BigInt(bytes);
    const sent = sendto(this.#fd, this.#buffer, length, MSG_DONTWAIT, this.#address, ADDRESS_BYTES);
    // What Deno sends by this socket is to stay whole.
    this.#setSize(0);
    return sent === bytes;
  }

  #setSize(size: number): boolean {
    this.#size[0] = size;
    const { setsockopt } = this.#libc.symbols;
    return setsockopt(this.#fd, SOL_UDP, UDP_SEGMENT, this.#sizeBytes, 4) === 0;
  }
}
