/**
 * The table of the backbone bench, and what was aimed at.
 *
 * @module
 */
import type { Figures, Row } from "./pgm_rows.ts";

const HEADS = ["msg/s", "p50", "p99", "missing", "OpenPGM", "p50", "p99", "missing", "ratio"];

/** The rows as text; latencies in ms. */
export function report(rows: readonly Row[], receivers: number, rounds: number): string {
  return [
    `1 sender, ${receivers} receivers, median of ${rounds} runs; one way, ms`,
    line("", HEADS),
    ...rows.map((row) => line(row.name, [...cells(row.groundwave), ...beside(row)])),
    "",
    ...rows.flatMap((row) => aims(row, rows)),
  ].join("\n");
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(28) + cells.map((cell) => cell.padStart(10)).join("");
}

function cells({ messages_per_s, p50_ms, p99_ms, missing }: Figures): string[] {
  return [
    String(Math.round(messages_per_s)),
    p50_ms.toFixed(3),
    p99_ms.toFixed(3),
    String(missing),
  ];
}

function beside({ groundwave, openpgm }: Row): string[] {
  if (openpgm === null) return [];
  const ratio = groundwave.messages_per_s / openpgm.messages_per_s;
  return [...cells(openpgm), `${ratio.toFixed(2)} ×`];
}

/** What the row shows of the aims: small messages five times as fast as OpenPGM, large ones as fast, losses hardly felt. */
function aims(row: Row, rows: readonly Row[]): string[] {
  if (row.rate > 0) return row.loss > 0 ? evenAims(row) : [];
  return row.loss > 0 ? saturatedAims(row, rows) : speedAims(row);
}

function speedAims({ name, size, groundwave, openpgm }: Row): string[] {
  if (openpgm === null) return [];
  const least = size <= 200 ? 5 : 1, ratio = groundwave.messages_per_s / openpgm.messages_per_s;
  return [verdict(`${name}: ${ratio.toFixed(2)} × OpenPGM's msg/s, aim ${least}`, ratio >= least)];
}

function evenAims({ name, groundwave, openpgm }: Row): string[] {
  const { p50_ms, p99_ms } = groundwave;
  const median = verdict(`${name}: p50 ${p50_ms.toFixed(3)} ms, aim 0.1`, p50_ms < 0.1);
  if (openpgm === null) return [median];
  const theirs = openpgm.p99_ms;
  return [
    median,
    verdict(`${name}: p99 ${(p99_ms / theirs).toFixed(2)} × OpenPGM's, aim 1`, p99_ms <= theirs),
  ];
}

function saturatedAims({ name, size, groundwave }: Row, rows: readonly Row[]): string[] {
  const lossless = rows.find((row) => row.size === size && row.rate === 0 && row.loss === 0);
  const ratio = groundwave.p50_ms / (lossless?.groundwave.p50_ms ?? NaN);
  return [
    verdict(`${name}: p50 ${ratio.toFixed(2)} × that without loss, aim 3`, ratio <= 3),
    verdict(`${name}: ${groundwave.missing} missing, aim 0`, groundwave.missing === 0),
  ];
}

function verdict(finding: string, met: boolean): string {
  return `${met ? "met   " : "MISSED"}  ${finding}`;
}
