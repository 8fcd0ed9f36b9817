/**
 * The archive in a file of SQLite. What {@link SqliteFile.write} has returned from survives the end of the process and, as
 * far as the disk does what it says (`synchronous = FULL` syncs the write-ahead log at each commit), a power cut.
 *
 * @module
 */
import { statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Origin, Vector } from "../protocol/message.ts";
import type { KeptOutline, KeptSlot, KeptStanding, Opening, SlotUpdate } from "./archive_store.ts";
import type { SqliteCall } from "./sqlite_calls.ts";

const SCHEMA_VERSION = 1;

/** "GWAV": what `file` and others tell the format by. */
const APPLICATION_ID = 0x47574156;

/** Two relays that write to one file would each believe to know what is in it. */
const ALONE = "PRAGMA locking_mode = EXCLUSIVE";

/** Not before it is known that the file is ours: the journal's mode is written to it. */
const SETTINGS = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
`;

const SCHEMA = `
  CREATE TABLE messages (
    place INTEGER PRIMARY KEY, slot INTEGER NOT NULL, origin TEXT NOT NULL, seq INTEGER NOT NULL,
    channel TEXT NOT NULL, at INTEGER NOT NULL, message BLOB NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX messages_by_id ON messages (slot, origin, seq);
  CREATE TABLE positions (
    slot INTEGER NOT NULL, origin TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (slot, origin)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE outlines (slot INTEGER PRIMARY KEY, outline BLOB NOT NULL) STRICT;
  CREATE TABLE origins (origin TEXT PRIMARY KEY, heard INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE written (only INTEGER PRIMARY KEY CHECK (only = 1), at INTEGER NOT NULL) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** By how much the archive's clock is behind. Files of before have no such table. */
const STOPPED = `
  CREATE TABLE IF NOT EXISTS stopped (
    only INTEGER PRIMARY KEY CHECK (only = 1), ms INTEGER NOT NULL
  ) STRICT;
`;

const SQL = {
  keep:
    "INSERT OR IGNORE INTO messages (slot, origin, seq, channel, at, message) VALUES (?, ?, ?, ?, ?, ?)",
  stand: `INSERT INTO positions VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq`,
  outline: "INSERT OR REPLACE INTO outlines VALUES (?, ?)",
  drop: "DELETE FROM messages WHERE slot = ? AND origin = ? AND seq <= ? AND channel = ?",
  dropOthers: `DELETE FROM messages WHERE slot = ? AND origin = ? AND seq <= ?
    AND channel NOT IN (SELECT value FROM json_each(?))`,
  forget: "DELETE FROM positions WHERE slot = ? AND origin = ?",
  forgetMessages: "DELETE FROM messages WHERE slot = ? AND origin = ?",
  forgetOutline: `DELETE FROM outlines WHERE slot = ?1
    AND NOT EXISTS (SELECT 1 FROM positions WHERE slot = ?1)`,
  written: "INSERT OR REPLACE INTO written VALUES (1, ?)",
  stopped: "INSERT OR REPLACE INTO stopped VALUES (1, ?)",
  heard: "INSERT OR REPLACE INTO origins VALUES (?, ?)",
  unheard: "DELETE FROM origins WHERE heard < ?",
  lastWritten: "SELECT at FROM written",
  lastStopped: "SELECT ms FROM stopped",
  origins: "SELECT origin, heard FROM origins",
  slots: "SELECT DISTINCT slot FROM positions",
  vector: "SELECT origin, seq FROM positions WHERE slot = ?",
  outlineOf: "SELECT outline FROM outlines WHERE slot = ?",
  messages: "SELECT at, message FROM messages WHERE slot = ? ORDER BY place",
} as const;

/** An open file. Every method may throw what SQLite throws. */
export class SqliteFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #statements: Readonly<Record<keyof typeof SQL, StatementSync>>;
  readonly #files: string;

  /** Opens a file, and makes it where there is none. @throws {Error} also if it is no archive. */
  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path);
    try {
      this.#database.exec(ALONE);
      const isNew = this.#isNew();
      this.#database.exec(SETTINGS);
      if (isNew) this.#transact(() => this.#database.exec(SCHEMA));
      this.#database.exec(STOPPED);
      const prepare = (sql: string) => this.#database.prepare(sql);
      // One statement for each key of SQL.
      this.#statements = Object.fromEntries(
        Object.entries(SQL).map(([name, sql]) => [name, prepare(sql)]),
      ) as Record<keyof typeof SQL, StatementSync>;
      this.#files = filesAt(path);
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  opening(): Opening {
    const { lastWritten, lastStopped, origins } = this.#statements;
    const at = lastWritten.get()?.at, writtenMs = at === undefined ? undefined : Number(at);
    const stoppedMs = Number(lastStopped.get()?.ms ?? 0);
    return {
      writtenMs,
      keptMs: writtenMs === undefined ? undefined : writtenMs - stoppedMs,
      heardMs: new Map(origins.all().map(({ origin, heard }) => [String(origin), Number(heard)])),
    };
  }

  *slots(): Generator<KeptSlot, void> {
    for (const { slot } of this.#statements.slots.all()) yield this.#slot(Number(slot));
  }

  standing(slot: number): KeptStanding {
    const outline = this.#statements.outlineOf.get(slot)?.outline;
    return {
      vector: this.#vector(slot),
      ...(outline instanceof Uint8Array ? { outline: new Uint8Array(outline) } : {}),
    };
  }

  write(updates: readonly SlotUpdate[], nowMs: number): Vector[] {
    const vectors = this.#transact(() => {
      this.#statements.written.run(nowMs);
      return updates.map((update) => this.#write(update));
    });
    // Writing goes on without a complaint, into what nobody will find.
    if (filesAt(this.#path) !== this.#files) throw new Error("its file was removed or replaced");
    return vectors;
  }

  remember(
    { heardMs, sinceMs, nowMs, stoppedMs }: Extract<SqliteCall, { type: "remember" }>,
  ): void {
    const { heard, unheard, written, stopped } = this.#statements;
    this.#transact(() => {
      for (const [origin, ms] of heardMs) heard.run(origin, Math.round(ms));
      unheard.run(Math.round(sinceMs));
      written.run(nowMs);
      stopped.run(Math.round(stoppedMs));
    });
  }

  close(): void {
    this.#database.close();
  }

  #write({ slot, base, messages, vector, outline, forgotten }: SlotUpdate): Vector {
    const { keep, stand } = this.#statements;
    const standing = this.#vector(slot);
    if ([...base].some(([origin, seq]) => (standing.get(origin) ?? 0) < seq)) return standing;
    for (const { origin, seq, channel, atMs, bytes } of messages) {
      keep.run(slot, origin, seq, channel, Math.round(atMs), bytes);
    }
    for (const [origin, seq] of vector) stand.run(slot, origin, seq);
    if (outline) this.#outline(slot, outline);
    if (forgotten.length > 0) this.#forget(slot, forgotten);
    return this.#vector(slot);
  }

  #outline(slot: number, { bytes, floors }: KeptOutline): void {
    const { outline, drop, dropOthers } = this.#statements;
    outline.run(slot, bytes);
    const named = JSON.stringify([...floors.keys()]);
    for (const [channel, floor] of floors) {
      for (const [origin, seq] of floor) {
        if (channel === "") dropOthers.run(slot, origin, seq, named);
        else drop.run(slot, origin, seq, channel);
      }
    }
  }

  #forget(slot: number, forgotten: readonly Origin[]): void {
    const { forget, forgetMessages, forgetOutline } = this.#statements;
    for (const origin of forgotten) {
      forget.run(slot, origin);
      forgetMessages.run(slot, origin);
    }
    forgetOutline.run(slot);
  }

  #vector(slot: number): Map<Origin, number> {
    const rows = this.#statements.vector.all(slot);
    return new Map(rows.map(({ origin, seq }) => [String(origin), Number(seq)]));
  }

  #slot(slot: number): KeptSlot {
    const { messages } = this.#statements;
    return {
      slot,
      ...this.standing(slot),
      messages: messages.all(slot).map(({ at, message }) => ({
        atMs: Number(at),
        bytes: message instanceof Uint8Array ? new Uint8Array(message) : new Uint8Array(),
      })),
    };
  }

  /** Whether there is nothing yet. @throws {Error} if there is something else. */
  #isNew(): boolean {
    const pragma = (name: string) => Number(this.#database.prepare(`PRAGMA ${name}`).get()?.[name]);
    const id = pragma("application_id"), version = pragma("user_version");
    if (id === APPLICATION_ID && version === SCHEMA_VERSION) return false;
    if (id === APPLICATION_ID) {
      throw new Error(`it is of version ${version}, and this program knows ${SCHEMA_VERSION}`);
    }
    const { tables } = this.#database.prepare("SELECT count(*) AS tables FROM sqlite_schema")
      .get() ?? {};
    if (Number(tables) > 0) throw new Error("it is the database of something else");
    return true;
  }

  #transact<T>(run: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = run();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      // SQLite itself has rolled back after some failures.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    }
  }
}

/** Tells the files that are there by now, the journal with what was written last among them, from those that were. */
function filesAt(path: string): string {
  const files = [path, `${path}-wal`].map((name) => statSync(name, { throwIfNoEntry: false }));
  return files.map((file) => file && `${file.dev}:${file.ino}`).join();
}
