/**
 * Says when packets of another group key come in, or of none: relays that do not share a key are as if alone, each of them,
 * and would not know why.
 *
 * @module
 */
import type { Backbone } from "../backbone/backbone.ts";
import type { RelayLog, RelayOptions } from "./options.ts";

/** Warns that a relay without a key believes everybody, if there is a LAN to believe. */
export function warnIfOpen(
  { credentials, interface: address, log }: Pick<RelayOptions, "credentials" | "interface" | "log">,
): void {
  if (credentials || address.startsWith("127.")) return;
  log("warn", "no group key: whoever is on the LAN can join and forge; see --group-key-file");
}

/** By the backbone's figure of what it dropped, what that means. */
const MEANINGS: Readonly<Record<string, string>> = {
  dropped_keyed: "others on the LAN have a group key and this relay has none: they do not hear it",
  dropped_unauthenticated: "packets without the group key are dropped: has a node none?",
  dropped_unknown_key: "packets of another group key are dropped: has a node another one?",
  dropped_forged: "packets whose group key has the same number and is another are dropped",
};

export class KeyWatch {
  readonly #backbone: Pick<Backbone, "counters">;
  readonly #log: RelayLog;
  readonly #told = new Set<string>();

  constructor(backbone: Pick<Backbone, "counters">, log: RelayLog) {
    this.#backbone = backbone;
    this.#log = log;
  }

  /** Looks, and says of each kind once. To be called now and then. */
  look(): void {
    const counters = this.#backbone.counters();
    for (const [figure, meaning] of Object.entries(MEANINGS)) {
      if (!counters[figure] || this.#told.has(figure)) continue;
      this.#told.add(figure);
      this.#log("warn", meaning);
    }
  }
}
