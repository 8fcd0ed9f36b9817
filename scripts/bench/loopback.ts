/**
 * This machine as a place for one end of a conversation, where no lab can be had.
 *
 * @module
 */
import type { Place } from "../../tests/interop/peers.ts";
import { listsGroup } from "../lan/igmp.ts";

export const loopback: Place = {
  address: "127.0.0.1",
  spawn([program = "", ...args], options) {
    return new Deno.Command(program, { ...options, args }).spawn();
  },
  hears: (group) => listsGroup(Deno.readTextFileSync("/proc/net/igmp"), group),
};
