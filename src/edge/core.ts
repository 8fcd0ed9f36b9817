/**
 * What the surfaces of one edge share.
 *
 * @module
 */
import type { Context } from "hono";
import type { StreamEvent, Upstream } from "../../relay/protocol/upstream.ts";
import type { BodyReader } from "./body.ts";
import type { Connections } from "./connections.ts";
import type { Grants } from "./grants.ts";
import type { Host, RequestInfo } from "./host.ts";
import type { Limits } from "./limits.ts";
import type { Counters } from "./metrics.ts";

/** Where the edge tells its operator what no answer can. */
export type Log = (
  level: "warn" | "error",
  message: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;

export interface Core {
  readonly upstream: Upstream;
  readonly host: Host;
  readonly grants: Grants;
  readonly limits: Limits;
  readonly connections: Connections;
  readonly bodies: BodyReader;
  readonly counters: Counters;
  /** Events as JSON lines, rendered once for all transports. */
  readonly json: (event: StreamEvent) => string;
  readonly log: Log;
}

/** A request on its way through Hono. */
export type EdgeContext = Context<{ Bindings: RequestInfo }>;

export type Handler = (c: EdgeContext) => Response | Promise<Response>;
