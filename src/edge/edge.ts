/**
 * The edge: the public interface of a relay as a fetch handler, on any runtime.
 *
 * @module
 */
import { Hono } from "hono";
import { cors } from "hono/cors";
import { etag } from "hono/etag";
import { GroundwaveError } from "../../relay/protocol/errors.ts";
import type { Upstream } from "../../relay/protocol/upstream.ts";
import { answerJson } from "./answer.ts";
import { BodyReader } from "./body.ts";
import { Connections } from "./connections.ts";
import type { Core, Handler, Log } from "./core.ts";
import { answerError } from "./errors.ts";
import type { Grants } from "./grants.ts";
import { healthHandler, readyHandler } from "./health.ts";
import type { Host, RequestInfo } from "./host.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { Counters, metricsHandler } from "./metrics.ts";
import { assetHandler, type Assets } from "./page.ts";
import { historyHandler, pollHandler } from "./poll.ts";
import { publishHandler } from "./publish.ts";
import { rawPath } from "./query.ts";
import { jsonRenderer } from "./render.ts";
import { sseHandler } from "./sse.ts";
import { socketHandler } from "./ws.ts";

export interface EdgeOptions {
  readonly upstream: Upstream;
  readonly host: Host;
  readonly grants: Grants;
  /** Bounds that differ from {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<Limits>;
  /** Files to serve by path, such as `/` and `/client.js`. */
  readonly assets?: Assets;
  readonly log?: Log;
}

export interface Edge {
  fetch(request: Request, info: RequestInfo): Response | Promise<Response>;
  /** Refuses what is new and ends the streams in waves; `limits.drainMs` and a second at most. Idempotent. */
  drain(): Promise<void>;
}

const DAY_S = 86_400;

/** "/publish" itself, and whatever is below it. */
const PUBLISH = /^\/publish($|\/)/;

export function createEdge(options: EdgeOptions): Edge {
  const core = createCore(options), publish = publishHandler(core), failed = answerError(core);
  const app = new Hono<{ Bindings: RequestInfo }>({ getPath: ({ url }) => rawPath(url) });
  const methods = new Map<string, "GET" | "POST">();
  const route = (path: string, method: "GET" | "POST", handler: Handler) => {
    methods.set(path, method);
    app.on(method, path, handler);
  };
  app.options("*", cors({ origin: "*", allowMethods: ["GET", "HEAD", "POST"], maxAge: DAY_S }));
  route("/sse", "GET", sseHandler(core));
  route("/ws", "GET", socketHandler(core));
  route("/poll", "GET", pollHandler(core));
  route("/history", "GET", historyHandler(core));
  route("/healthz", "GET", healthHandler(core));
  route("/readyz", "GET", readyHandler(core));
  route("/metrics", "GET", metricsHandler(core));
  for (const [path, asset] of Object.entries(options.assets ?? {})) {
    app.use(path, etag());
    route(path, "GET", assetHandler(asset));
  }
  // Wrong methods end here too. One handler a request: with several, Hono composes them, which costs.
  app.notFound(({ req: { path, method } }) => {
    const allowed = PUBLISH.test(path) ? "POST" : methods.get(path);
    if (allowed !== undefined) return refuseMethod(core, method, allowed);
    throw new GroundwaveError("not_found", "there is nothing here");
  });
  app.onError((thrown, { req: { path } }) => failed(thrown, path));
  return {
    fetch(request, info) {
      if (isHostFaulty(request)) return refuseHost(core);
      const path = rawPath(request.url);
      // Not by the router, which would cost a publish as much as reading what it asks.
      if (request.method === "POST" && PUBLISH.test(path)) {
        return publish(request).catch((thrown) => failed(thrown, path));
      }
      return app.fetch(request, info);
    },
    drain: () => core.connections.drain(),
  };
}

function createCore(options: EdgeOptions): Core {
  const { upstream, host, grants } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  return {
    upstream,
    host,
    grants,
    limits,
    connections: new Connections(host, limits),
    bodies: new BodyReader(host, limits),
    counters: new Counters(),
    json: jsonRenderer(),
    log: options.log ?? (() => {}),
  };
}

/** Runtimes put the Host before the target, whatever is in it: one with a path of its own would choose the route. */
function isHostFaulty(request: Request): boolean {
  const host = request.headers.get("host");
  return host !== null && /[/?#\\\s]/.test(host);
}

function refuseHost(core: Core): Response {
  const error = new GroundwaveError("bad_request", "the Host is not one");
  core.counters.errors.add(error.code);
  return answerJson(error, {}, error.class.status);
}

function refuseMethod(core: Core, method: string, allowed: "GET" | "POST"): Response {
  const error = new GroundwaveError("method_not_allowed", `${method} is not for this path`);
  core.counters.errors.add(error.code);
  const headers = { Allow: allowed === "GET" ? "GET, HEAD, OPTIONS" : "POST, OPTIONS" };
  return answerJson(error, headers, error.class.status);
}
