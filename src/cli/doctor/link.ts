/**
 * What the kernel says about an interface (Linux: /sys/class/net).
 *
 * @module
 */
import { type Finding, ok, trouble } from "./finding.ts";
import type { Read } from "./host.ts";

/** Of `net_device_flags` in linux/if.h. */
const FLAG = { up: 0x1, loopback: 0x8, running: 0x40, multicast: 0x1000 } as const;

/**
 * Up, able to multicast, and not behind a bridge that prunes.
 *
 * @param severity how bad it is if this interface cannot be used.
 */
export function checkLink(name: string, severity: "warn" | "fail", read: Read): Finding[] {
  const flags = Number(read(`/sys/class/net/${name}/flags`) ?? NaN);
  if (Number.isNaN(flags)) return [];
  const about = `${name} link`, has = (flag: number) => (flags & flag) !== 0;
  if (!has(FLAG.up)) return [trouble(severity, about, "down", `ip link set ${name} up`)];
  if (read(`/sys/class/net/${name}/carrier`) === "0") {
    return [trouble(severity, about, "no carrier", "check the cable, or the other end")];
  }
  if (!has(FLAG.multicast) && !has(FLAG.loopback)) {
    return [trouble(severity, about, "multicast is off", `ip link set ${name} multicast on`)];
  }
  return [ok(about, "up"), ...checkSnooping(name, read)];
}

/** A bridge that is the interface, or that it is a port of. */
function checkSnooping(name: string, read: Read): Finding[] {
  const bridge = [`/sys/class/net/${name}/bridge`, `/sys/class/net/${name}/master/bridge`]
    .find((path) => read(`${path}/multicast_snooping`) !== undefined);
  if (bridge === undefined) return [];
  const about = `${name} bridge`;
  if (read(`${bridge}/multicast_snooping`) === "0") return [ok(about, "passes all multicast on")];
  if (read(`${bridge}/multicast_querier`) === "1") return [ok(about, "snoops and queries")];
  return [trouble(
    "warn",
    about,
    "snoops on IGMP and does not query: without another querier it cuts groups off after minutes",
    `echo 1 > ${bridge}/multicast_querier`,
  )];
}
