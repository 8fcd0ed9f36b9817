/**
 * The one place where a request's grants are asked.
 *
 * @module
 */
import { GroundwaveError } from "../../relay/protocol/errors.ts";

/** What one request, and the connection it opens, may do. */
export interface Grant {
  /** Whether the requester showed who they are: a refusal is `forbidden` then, else `unauthorized`. */
  readonly identified: boolean;
  publish(channel: string): boolean;
  subscribe(channel: string): boolean;
}

export interface Grants {
  /** @throws {GroundwaveError} `unauthorized`, `token_expired`. */
  of(request: Request): Grant | Promise<Grant>;
}

const EVERYTHING: Grant = { identified: false, publish: () => true, subscribe: () => true };

/** Everybody may do everything, as `dev` and `serve --anonymous all` promise. */
export const anonymousAll: Grants = { of: () => EVERYTHING };

/** @throws {GroundwaveError} `unauthorized`, `forbidden`. */
export function demandPublish(grant: Grant, channel: string): void {
  if (!grant.publish(channel)) throw refusal(grant, `publish to ${channel}`);
}

/** @throws {GroundwaveError} `unauthorized`, `forbidden`. */
export function demandSubscribe(grant: Grant, channels: readonly string[]): void {
  for (const channel of channels) {
    if (!grant.subscribe(channel)) throw refusal(grant, `subscribe to ${channel}`);
  }
}

function refusal(grant: Grant, what: string): GroundwaveError {
  return grant.identified
    ? new GroundwaveError("forbidden", `you may not ${what}`)
    : new GroundwaveError("unauthorized", `a token is needed to ${what}`);
}
