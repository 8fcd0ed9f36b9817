/**
 * The thread that waits for the disk, so that the relay does not.
 *
 * @module
 */
import { parentPort } from "node:worker_threads";
import type { KeptSlot } from "./archive_store.ts";
import type { SqliteAnswer, SqliteCall, SqliteResults } from "./sqlite_calls.ts";
import { SqliteFile } from "./sqlite_file.ts";

/** Slots are handed over in lots of about so many messages. */
const LOT = 4096;

class Service {
  #file: SqliteFile | undefined;
  #slots: Generator<KeptSlot, void> | undefined;

  answer(call: SqliteCall): SqliteAnswer {
    try {
      return { result: this.#answer(call) };
    } catch (error) {
      return { failed: error instanceof Error ? error.message : String(error) };
    }
  }

  #answer(call: SqliteCall): SqliteResults[SqliteCall["type"]] {
    if (call.type === "open") return (this.#file ??= new SqliteFile(call.path)).opening();
    const file = this.#file;
    if (!file) throw new Error("it is not open");
    switch (call.type) {
      case "slots":
        return this.#lot(file);
      case "standings":
        return call.slots.map((slot) => file.standing(slot));
      case "write":
        return file.write(call.updates, call.nowMs);
      case "remember":
        return file.remember(call), undefined;
      case "close":
        return file.close(), undefined;
    }
  }

  #lot(file: SqliteFile): readonly KeptSlot[] {
    const slots = this.#slots ??= file.slots(), lot: KeptSlot[] = [];
    for (let messages = 0; messages < LOT;) {
      const { value } = slots.next();
      if (!value) break;
      lot.push(value);
      messages += 1 + value.messages.length;
    }
    if (lot.length === 0) this.#slots = undefined;
    return lot;
  }
}

const service = new Service();
parentPort?.on("message", (call: SqliteCall) => parentPort?.postMessage(service.answer(call)));
