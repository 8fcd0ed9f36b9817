/**
 * `/healthz` for supervisors, `/readyz` for load balancers.
 *
 * @module
 */
import type { Core, Handler } from "./core.ts";

const NO_STORE = { "Cache-Control": "no-store" };

export function healthHandler(core: Core): Handler {
  return (c) => c.json({ status: "ok", node: core.upstream.node.id }, 200, NO_STORE);
}

export function readyHandler(core: Core): Handler {
  return (c) => {
    const { ready, reasons } = core.upstream.readiness();
    if (core.connections.draining) {
      return c.json({ status: "unavailable", reasons: ["draining", ...reasons] }, 503, NO_STORE);
    }
    return ready
      ? c.json({ status: "ready" }, 200, NO_STORE)
      : c.json({ status: "unavailable", reasons }, 503, NO_STORE);
  };
}
