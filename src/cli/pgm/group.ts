/**
 * One PGM group, as the `pgm` commands open it: a backbone whose first group is its only one.
 *
 * @module
 */
import type { Backbone, BackboneEvents } from "../../../backbone/backbone.ts";
import { systemClock } from "../../../backbone/clock.ts";
import { openBackbone } from "../../../backbone/endpoint.ts";
import type { BackboneOptions } from "../../../backbone/options.ts";
import { newOrigin } from "../../../relay/new_names.ts";
import { CommandError } from "../errors.ts";
import { chooseInterface } from "../interface.ts";
import type { Terminal } from "../terminal.ts";
import type { GroupOptions } from "./flags.ts";

/** What a receiver is told: `origin` is random if absent. */
type HearOptions = GroupOptions & Pick<BackboneOptions, "ttl"> & {
  readonly origin?: string | undefined;
};

/** The group in its backbone. */
export const ONLY = 0;

/**
 * Opens the group to send.
 *
 * @throws {CommandError} if its sockets cannot be had.
 */
export function openToSend(
  options: GroupOptions & Pick<BackboneOptions, "ttl" | "pack">,
  terminal: Terminal,
): Promise<Backbone> {
  return open(options, { message: () => {}, lost: () => {} }, terminal);
}

/**
 * Opens the group and hears it.
 *
 * @throws {CommandError} if its sockets cannot be had.
 */
export async function openToHear(
  options: HearOptions,
  events: BackboneEvents,
  terminal: Terminal,
): Promise<Backbone> {
  const backbone = await open(options, events, terminal);
  try {
    await backbone.join(ONLY);
    return backbone;
  } catch (error) {
    await backbone.close();
    throw explained(error, options);
  }
}

async function open(
  { port, group, origin = newOrigin(), ...options }: HearOptions & Pick<BackboneOptions, "pack">,
  events: BackboneEvents,
  terminal: Terminal,
): Promise<Backbone> {
  try {
    return await openBackbone({
      ...options,
      origin,
      interface: interfaceOf(options),
      groupBase: group,
      groupCount: 0,
      groupPort: port,
      clock: systemClock,
      random: Math.random,
      warn: (advice) => terminal.err(`${advice}\n`),
    }, events);
  } catch (error) {
    throw explained(error, { port, group, ...options });
  }
}

/** The address that was given, or the only one. */
export function interfaceOf({ interface: address }: Pick<GroupOptions, "interface">): string {
  return address ?? chooseInterface(Deno.networkInterfaces());
}

/** An error of the system's sockets as one of the command; others as they are. */
export function explained(error: unknown, options: GroupOptions): unknown {
  if (!(error instanceof Error && "code" in error)) return error;
  const { group, port } = options;
  if (error instanceof Deno.errors.AddrInUse) {
    return new CommandError(
      `${group}:${port} is taken by a program that does not share it, such as OpenPGM's`,
    );
  }
  return new CommandError(
    `no multicast to ${group}:${port} on --interface ${interfaceOf(options)}: ${error.message}`,
  );
}
