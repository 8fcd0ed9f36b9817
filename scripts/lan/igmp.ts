/**
 * Multicast memberships as Linux lists them.
 *
 * @module
 */

/** Whether `/proc/net/igmp` lists a group, given as a dotted address. */
export function listsGroup(igmp: string, group: string): boolean {
  // The kernel prints the address as one number of the machine's order, in hexadecimal.
  const digits = group.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return igmp.includes(`\t${digits.reverse().join("").toUpperCase()} `);
}
