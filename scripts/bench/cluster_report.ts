/**
 * The tables of the cluster bench, and what was aimed at.
 *
 * @module
 */
import type { ClusterFigures, SystemFigures } from "./cluster_program.ts";
import type { Growth } from "./growth.ts";

type Figure = Exclude<keyof SystemFigures, "batched_replicated_per_s">;

interface Aim {
  readonly figure: Figure;
  readonly name: string;
  /** Of Socket.IO's figure: at most for a time, at least for a rate. */
  readonly times: number;
}

const AIMS: readonly Aim[] = [
  { figure: "p50_ms", name: "from a POST to a subscriber, p50, ms", times: 0.5 },
  { figure: "singles_per_s", name: "messages/s by single POSTs", times: 1 },
  { figure: "batched_per_s", name: "messages/s by batches of 100", times: 5 },
  { figure: "deliveries_per_s", name: "deliveries/s to 1000 subscribers", times: 10 },
];
const LEVEL_AIM_MS = 1, GROWTH_AIM = 1.1, CHANNEL_AIM_BYTES = 300;

export function report(figures: ClusterFigures): string {
  return [
    line("publish on one node, subscribe on another", "groundwave", "Socket.IO", "ratio", "aim"),
    ...AIMS.map((aim) => compared(aim, figures)),
    ...replicated(figures),
    "",
    ...levels(figures),
    "",
    ...growth(figures),
    "",
    ...memory(figures),
  ].join("\n");
}

function compared({ figure, name, times }: Aim, { groundwave, socket_io }: ClusterFigures): string {
  const ours = groundwave[figure], theirs = socket_io?.[figure];
  const isTime = figure === "p50_ms", text = (value: number) => value.toFixed(isTime ? 3 : 0);
  if (theirs === undefined) return line(name, text(ours));
  const ratio = ours / theirs, met = isTime ? ratio <= times : ratio >= times;
  const aim = `${isTime ? "≤" : "≥"} ${times} ${verdict(met)}`;
  return line(name, text(ours), text(theirs), `${ratio.toFixed(2)} ×`, aim);
}

/** Beside batches that Socket.IO answers without knowing of its second server. */
function replicated({ groundwave, socket_io }: ClusterFigures): string[] {
  const ours = groundwave.batched_replicated_per_s, theirs = socket_io?.batched_per_s;
  if (ours === null) return [];
  const ratio = theirs === undefined ? [] : [theirs.toFixed(0), `${(ours / theirs).toFixed(2)} ×`];
  return [line("by batches of 100, held by both nodes", ours.toFixed(0), ...ratio)];
}

function levels({ levels }: ClusterFigures): string[] {
  const { accepted_p50_ms, replicated_p50_ms, accepted_p99_ms, replicated_p99_ms } = levels;
  const costMs = replicated_p50_ms - accepted_p50_ms;
  const aim = `< ${LEVEL_AIM_MS} ${verdict(costMs < LEVEL_AIM_MS)}`;
  return [
    line("from a POST to its answer, ms", "p50", "p99", "costs", "aim"),
    line("accepted", accepted_p50_ms.toFixed(3), accepted_p99_ms.toFixed(3)),
    line(
      "replicated",
      replicated_p50_ms.toFixed(3),
      replicated_p99_ms.toFixed(3),
      costMs.toFixed(3),
      aim,
    ),
  ];
}

function growth({ growth }: ClusterFigures): string[] {
  const cell = (value: number | null, digits: number) => value?.toFixed(digits) ?? "";
  return [
    line(
      "at the publisher, per message, by nodes",
      "user CPU, µs",
      "packets out",
      "packets in",
      "grown",
    ),
    ...growth.map((row) => {
      const { relays, ack, per_s, user_cpu_us, sent_packets, received_packets } = row;
      const first = growth.find((other) => other.per_s === per_s && other.ack === ack);
      return line(
        `${ack}, ${per_s} a second, ${relays} more`,
        cell(user_cpu_us, 0),
        cell(sent_packets, 2),
        cell(received_packets, 2),
        ...first && row !== first ? grown(row, first) : [],
      );
    }),
  ];
}

/** By how much CPU and packets have grown. */
function grown(row: Growth, first: Growth): string[] {
  const packets = ({ sent_packets, received_packets }: Growth) =>
    (sent_packets ?? NaN) + (received_packets ?? NaN);
  const told = (name: string, ratio: number) =>
    `  ${name} ${ratio.toFixed(2)} × ${verdict(ratio < GROWTH_AIM)}`;
  const cpu = told("CPU", row.user_cpu_us / first.user_cpu_us);
  return row.sent_packets === null ? [cpu] : [cpu, told("packets", packets(row) / packets(first))];
}

function memory({ memory }: ClusterFigures): string[] {
  const { idle_slot, message, idle_channel, million_channels_mb } = memory;
  const aim = `≤ ${CHANNEL_AIM_BYTES} ${verdict(idle_channel <= CHANNEL_AIM_BYTES)}`;
  return [
    line("memory of logs, bytes", "", "", "", "aim"),
    line("an idle slot", idle_slot.toFixed(0)),
    line("a message of 3 bytes", message.toFixed(0)),
    line("a channel that retains one, beside it", idle_channel.toFixed(0), "", "", aim),
    line("a million such channels, MB", million_channels_mb.toFixed(0)),
  ];
}

function line(name: string, ...cells: readonly string[]): string {
  return (name.padEnd(42) + cells.map((cell) => cell.padStart(14)).join("")).trimEnd();
}

function verdict(met: boolean): string {
  return met ? "met" : "MISSED";
}
