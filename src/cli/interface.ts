/**
 * Which of the machine's addresses carries the multicast.
 *
 * @module
 */
import { UsageError } from "./errors.ts";

const LOOPBACK = "127.0.0.1";

/** One address of the machine, as `Deno.networkInterfaces` lists it. */
export type Address = Pick<Deno.NetworkInterfaceInfo, "family" | "address" | "name">;

/**
 * The one IPv4 address that is not loopback; loopback where there is none.
 *
 * @throws {UsageError} where there are several: only the operator knows which is the LAN.
 */
export function chooseInterface(addresses: readonly Address[]): string {
  const outside = addresses.filter(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  const [only = undefined, ...more] = outside;
  if (more.length === 0) return only?.address ?? LOOPBACK;
  const list = outside.map(({ address, name }) => `${address} (${name})`).join(", ");
  throw new UsageError(
    `--interface is required: this machine has ${list}; give the one of the LAN`,
  );
}
