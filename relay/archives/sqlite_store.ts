/**
 * The archive of one relay in a file of SQLite, at work in a thread of its own.
 *
 * @module
 */
import { Worker } from "node:worker_threads";
import type { Origin, Vector } from "../protocol/message.ts";
import {
  type ArchiveStore,
  ArchiveTrouble,
  type KeptSlot,
  type KeptStanding,
  type Opening,
  type SlotUpdate,
} from "./archive_store.ts";
import type { SqliteAnswer, SqliteCall, SqliteResults } from "./sqlite_calls.ts";

/** What SQLite says, in an operator's words. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/database is locked/, "another process has it open: each relay needs a file of its own"],
  [
    /not a database|malformed|database of something else/,
    "it is no archive, or damaged: move it away",
  ],
  [/readonly|read-only/, "it cannot be written: see its permissions and those of its folder"],
  [/unable to open/, "it cannot be opened: see that its folder is there and can be written"],
  [/is full/, "the disk is full"],
  [/removed or replaced/, "its file was removed or replaced: put it back, or start this node anew"],
  [/disk I\/O error/, "the disk does not read or write"],
];

/** {@link ArchiveStore} for one relay. */
export class SqliteStore implements ArchiveStore {
  readonly name: string;
  readonly isShared = false;
  readonly #path: string;
  #worker: Worker | undefined;
  /** Calls on their way, oldest first: the thread answers in turn. */
  #waiting: PromiseWithResolvers<SqliteResults[SqliteCall["type"]]>[] = [];
  #closed: Promise<void> | undefined;

  constructor(path: string) {
    this.#path = path;
    this.name = `sqlite:${path}`;
  }

  async open(): Promise<Opening> {
    return await this.#call({ type: "open", path: this.#path });
  }

  async *slots(): AsyncGenerator<KeptSlot, void> {
    for (;;) {
      const lot = await this.#call({ type: "slots" });
      if (lot.length === 0) return;
      yield* lot;
    }
  }

  standings(slots: readonly number[]): Promise<readonly KeptStanding[]> {
    return this.#call({ type: "standings", slots });
  }

  write(updates: readonly SlotUpdate[], nowMs: number): Promise<readonly Vector[]> {
    return this.#call({ type: "write", updates, nowMs });
  }

  remember(
    heardMs: ReadonlyMap<Origin, number>,
    sinceMs: number,
    nowMs: number,
    stoppedMs: number,
  ): Promise<void> {
    return this.#call({ type: "remember", heardMs, sinceMs, nowMs, stoppedMs });
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    if (!this.#worker) return;
    // What could not be closed has nothing to write either.
    await this.#call({ type: "close" }).catch(() => {});
    await this.#worker.terminate();
    this.#worker = undefined;
  }

  /** Begins the thread, or another in the place of one that broke. */
  #begin(): Worker {
    const worker = new Worker(new URL("./sqlite_worker.ts", import.meta.url));
    worker.on("message", (answer: SqliteAnswer) => this.#take(answer));
    worker.on("error", (error) => this.#fail(error.message));
    const opening = Promise.withResolvers<SqliteResults[SqliteCall["type"]]>();
    // What cannot be opened is said to whoever asks next.
    opening.promise.catch(() => {});
    this.#waiting.push(opening);
    worker.postMessage({ type: "open", path: this.#path } satisfies SqliteCall);
    return worker;
  }

  #call<Call extends SqliteCall>(call: Call): Promise<SqliteResults[Call["type"]]> {
    if (!this.#worker && this.#closed) return Promise.reject(new ArchiveTrouble("it is closed"));
    const worker = this.#worker ??= this.#begin();
    const waiting = Promise.withResolvers<SqliteResults[SqliteCall["type"]]>();
    this.#waiting.push(waiting);
    worker.postMessage(call);
    // The thread answers each call with its kind of result.
    return waiting.promise as Promise<SqliteResults[Call["type"]]>;
  }

  #take(answer: SqliteAnswer): void {
    const waiting = this.#waiting.shift();
    if ("result" in answer) waiting?.resolve(answer.result);
    else waiting?.reject(new ArchiveTrouble(explain(answer.failed)));
  }

  #fail(reason: string): void {
    this.#worker = undefined;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new ArchiveTrouble(reason));
  }
}

function explain(text: string): string {
  return WORDS.find(([pattern]) => pattern.test(text))?.[1] ?? text;
}
