/**
 * One transport's view of the channel.
 *
 * @module
 */
import { type Client, connect, type Message, type Subscription } from "../../client/mod.ts";
import { find, stamp } from "./dom.ts";
import { gapText, messageRow, noteRow } from "./row.ts";

/** Rows kept; older ones go. */
const MAX_ROWS = 200;

/** What the states are called on the page. */
const STATES = {
  connecting: "connecting",
  joining: "joining",
  live: "live",
  stale: "live, perhaps behind",
  waiting: "reconnecting",
  closed: "closed",
} as const;

/** A heading, counters and the latest messages, over a client of its own. */
export class Pane {
  readonly client: Client;
  readonly #section: HTMLElement;
  readonly #rows: HTMLElement;
  readonly #latencies: number[] = [];
  #subscription: Subscription | undefined;
  #joinedMs = 0;
  #messages = 0;
  #gaps = 0;
  #lost = false;

  constructor(base: URL, transport: "websocket" | "sse", title: string) {
    this.#section = find(document, `#${transport}`, HTMLElement);
    this.#section.append(stamp("pane"));
    const heading = find(this.#section, "h2", HTMLHeadingElement);
    heading.id = `${transport}-title`;
    heading.textContent = title;
    this.#rows = find(this.#section, ".rows", HTMLElement);
    this.#rows.ariaLabel = `Messages by ${title}`;
    this.client = connect(base, {
      transports: [transport],
      onState: (state) => {
        if (state === "waiting") this.#interrupted();
        this.#showState();
      },
    });
    this.#showState();
  }

  /** Leaves the channel it was on for this one. */
  watch(channel: string): void {
    this.#subscription?.close();
    this.#rows.replaceChildren();
    this.#latencies.length = this.#messages = this.#gaps = 0;
    this.#lost = false;
    this.#joinedMs = Date.now();
    this.#subscription = this.client.subscribe(channel, (message) => this.#take(message), {
      after: "earliest",
      onGap: (gap) => {
        this.#gaps++;
        this.#add(noteRow(gapText(gap), "gap"));
      },
      onState: (state) => {
        if (state === "live") this.#resumed();
        this.#showState();
      },
      onError: (error) => this.#add(noteRow(`${error.code}: ${error.message}`, "gap")),
    });
    this.#showState();
    this.#count();
  }

  #take(message: Message): void {
    const history = message.time < this.#joinedMs;
    const latencyMs = history ? undefined : Math.max(0, Date.now() - message.time);
    this.#messages++;
    if (latencyMs !== undefined) this.#latencies.push(latencyMs);
    if (this.#latencies.length > MAX_ROWS) this.#latencies.shift();
    this.#add(messageRow(message, latencyMs));
  }

  /** The newest row is on top, where it is seen without scrolling. */
  #add(row: HTMLElement): void {
    this.#rows.prepend(row);
    while (this.#rows.childElementCount > MAX_ROWS) this.#rows.lastElementChild?.remove();
    this.#count();
  }

  #interrupted(): void {
    if (this.#lost || !this.#subscription) return;
    this.#lost = true;
    this.#add(noteRow("Connection lost", "lost"));
  }

  #resumed(): void {
    if (!this.#lost) return;
    this.#lost = false;
    this.#add(noteRow("Back, going on after the last message", "back"));
  }

  #showState(): void {
    const { client } = this;
    const state = client.state === "open" ? this.#subscription?.state ?? "joining" : client.state;
    this.#section.dataset["state"] = state;
    find(this.#section, ".state-text", HTMLElement).textContent = STATES[state];
  }

  #count(): void {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const median = sorted[sorted.length >> 1];
    const figures = {
      messages: this.#messages.toLocaleString(),
      gaps: this.#gaps.toLocaleString(),
      median: median === undefined ? "–" : `${median} ms`,
    };
    for (const [name, figure] of Object.entries(figures)) {
      find(this.#section, `[data-counter="${name}"]`, HTMLElement).textContent = figure;
    }
    this.#section.dataset["gaps"] = String(this.#gaps);
  }
}
