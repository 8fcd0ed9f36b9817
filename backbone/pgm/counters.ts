/**
 * What happened, by name, since the start. Every figure only rises.
 *
 * @module
 */

const NAMES = [
  "messages_sent",
  "messages_received",
  "packets_sent",
  "bytes_sent",
  "packets_received",
  "bytes_received",
  "odata_sent",
  "rdata_sent",
  "spm_sent",
  "spmr_sent",
  "nak_sent",
  "nak_sqns_sent",
  "ncf_sent",
  "acks_sent",
  "naks_received",
  "nak_sqns_received",
  "naks_suppressed",
  "requests_refused",
  "duplicates",
  "tpdus_lost",
  "messages_broken",
  "peers_refused",
  "peers_replaced",
  "peers_expired",
  "streams_begun_again",
  "sends_refused",
  "tags_admitted",
  "tags_lapsed",
  "dropped_truncated",
  "dropped_checksum",
  "dropped_type",
  "dropped_length",
  "dropped_option",
  "dropped_address",
  "dropped_foreign",
  "dropped_keyed",
  "dropped_unauthenticated",
  "dropped_unknown_key",
  "dropped_forged",
  "dropped_stale",
  "dropped_replayed",
  "dropped_stranger",
  "dropped_echo",
  "dropped_spm",
  "dropped_stray",
  "dropped_full",
  "dropped_nak",
  "socket_send_errors",
  "socket_receive_errors",
] as const;

/** The name of one figure. */
export type CounterName = typeof NAMES[number];

/** One set of figures; its holders count in place. */
export type Counters = Record<CounterName, number>;

/** A set of figures at 0. */
export function newCounters(): Counters {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as Counters;
}
