/**
 * What waits at a socket, read at once: an answer of Deno's costs several times what the system takes to give it. Deno
 * waits for the first datagram; those that came with it are read here.
 *
 * @module
 */
import { ADDRESS_BYTES, descriptorOf, type Libc, MSG_DONTWAIT } from "./libc.ts";
import type { OnDatagram, Target } from "./udp.ts";

/** The largest datagram of IPv4. A smaller buffer would cut off silently. */
export const LARGEST_DATAGRAM = 65_507;

/** At most so many before timers, sends and other sockets have their turn. */
const MOST_AT_ONCE = 64;

export class Drain {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  readonly #address = new Uint8Array(ADDRESS_BYTES);
  readonly #view = new DataView(this.#address.buffer);
  readonly #length = new Uint32Array(1);
  readonly #lengthBytes = new Uint8Array(this.#length.buffer);
  /** The last sender, who is most often the next. */
  #from: Target = { address: "", port: 0 };
  #fromAddress = 0;

  private constructor(libc: Libc, fd: number, buffer: Uint8Array<ArrayBuffer>) {
    this.#libc = libc;
    this.#fd = fd;
    this.#buffer = buffer;
  }

  /**
   * For the socket that is bound to an address; undefined if its descriptor cannot be told.
   *
   * @param buffer of {@link LARGEST_DATAGRAM} bytes, which those who are read in turn may share, but not with Deno.
   */
  static of(
    libc: Libc,
    address: Deno.NetAddr,
    buffer: Uint8Array<ArrayBuffer>,
  ): Drain | undefined {
    const fd = descriptorOf(libc, address);
    return fd === undefined ? undefined : new Drain(libc, fd, buffer);
  }

  /**
   * Hands on what waits while `goOn` says so: after it has said no, the socket may be closed. Answers how many datagrams
   * that were.
   */
  read(datagram: OnDatagram, goOn: () => boolean): number {
    const { recvfrom } = this.#libc.symbols, buffer = this.#buffer, room = BigInt(buffer.length);
    let count = 0;
    for (; count < MOST_AT_ONCE && goOn(); count++) {
      this.#length[0] = ADDRESS_BYTES;
      const bytes = recvfrom(
        this.#fd,
        buffer,
        room,
        MSG_DONTWAIT,
        this.#address,
        this.#lengthBytes,
      );
      // Nothing is there; or an error, which Deno's next read will meet and tell.
      if (bytes < 0) break;
      datagram(buffer.subarray(0, bytes), this.#sender());
    }
    return count;
  }

  #sender(): Target {
    const port = this.#view.getUint16(2), address = this.#view.getUint32(4);
    if (port !== this.#from.port || address !== this.#fromAddress) {
      this.#fromAddress = address;
      this.#from = { address: this.#address.subarray(4, 8).join("."), port };
    }
    return this.#from;
  }
}
