/**
 * `/healthz` for supervisors, `/readyz` for load balancers.
 *
 * @module
 */
import { answerJson, NO_STORE } from "./answer.ts";
import type { Core, Handler } from "./core.ts";

export function healthHandler(core: Core): Handler {
  return () => answerJson({ status: "ok", node: core.upstream.node.id }, NO_STORE);
}

export function readyHandler(core: Core): Handler {
  return () => {
    const { ready, reasons, notes } = core.upstream.readiness();
    const detail = notes.length === 0 ? {} : { notes };
    if (ready && !core.connections.draining) {
      return answerJson({ status: "ready", ...detail }, NO_STORE);
    }
    const why = core.connections.draining ? ["draining", ...reasons] : reasons;
    return answerJson({ status: "unavailable", reasons: why, ...detail }, NO_STORE, 503);
  };
}
