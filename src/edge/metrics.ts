/**
 * `/metrics`: what the edge counts itself, beside the figures of its relay, as Prometheus text (version 0.0.4).
 *
 * @module
 */
import type { Metric } from "../../relay/protocol/upstream.ts";
import { answer, NO_STORE } from "./answer.ts";
import { TRANSPORTS } from "./connections.ts";
import type { Connections, Transport } from "./connections.ts";
import type { Core, Handler } from "./core.ts";

/** Counts by one label. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(label: string): void {
    this.#counts.set(label, (this.#counts.get(label) ?? 0) + 1);
  }

  entries(): Iterable<[string, number]> {
    return this.#counts;
  }
}

export class Counters {
  /** Messages given to readers. */
  readonly deliveries: Record<Transport, number> = { sse: 0, websocket: 0, poll: 0 };
  /** Publishes by the level reached or the code of the failure. */
  readonly publishes = new Tally();
  /** Failed requests and operations by code. */
  readonly errors = new Tally();
}

export function metricsHandler(core: Core): Handler {
  return () => {
    const metrics = [...edgeMetrics(core.counters, core.connections), ...core.upstream.metrics()];
    return answer(renderMetrics(metrics), "text/plain; version=0.0.4; charset=utf-8", NO_STORE);
  };
}

function edgeMetrics(counters: Counters, connections: Connections): Metric[] {
  const metrics: Metric[] = [];
  for (const transport of TRANSPORTS) {
    metrics.push({
      name: "groundwave_edge_connections",
      help: "Open streams.",
      type: "gauge",
      value: connections.counts[transport],
      labels: { transport },
    }, {
      name: "groundwave_edge_deliveries_total",
      help: "Messages given to readers.",
      type: "counter",
      value: counters.deliveries[transport],
      labels: { transport },
    });
  }
  for (const [result, value] of counters.publishes.entries()) {
    metrics.push({
      name: "groundwave_edge_publishes_total",
      help: "Publishes by level reached or error.",
      type: "counter",
      value,
      labels: { result },
    });
  }
  for (const [code, value] of counters.errors.entries()) {
    metrics.push({
      name: "groundwave_edge_errors_total",
      help: "Failed requests and operations.",
      type: "counter",
      value,
      labels: { code },
    });
  }
  return metrics;
}

/** Samples of one name stand together under one HELP and TYPE, as the format demands. */
function renderMetrics(metrics: readonly Metric[]): string {
  const families = new Map<string, string[]>();
  for (const { name, help, type, value, labels } of metrics) {
    let lines = families.get(name);
    if (!lines) {
      lines = [`# HELP ${name} ${help.replace(/[\\\n]/g, escape)}`, `# TYPE ${name} ${type}`];
      families.set(name, lines);
    }
    lines.push(`${name}${renderLabels(labels)} ${value}`);
  }
  return [...families.values()].flat().map((line) => `${line}\n`).join("");
}

function renderLabels(labels: Metric["labels"]): string {
  if (!labels) return "";
  const pairs = Object.entries(labels).map(([name, value]) =>
    `${name}="${value.replace(/[\\"\n]/g, escape)}"`
  );
  return `{${pairs.join(",")}}`;
}

function escape(character: string): string {
  return character === "\n" ? "\\n" : `\\${character}`;
}
