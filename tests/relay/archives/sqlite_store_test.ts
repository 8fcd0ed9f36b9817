import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type ArchiveStore, ArchiveTrouble } from "../../../relay/archives/archive_store.ts";
import { SqliteStore } from "../../../relay/archives/sqlite_store.ts";
import { A } from "../../support/slot_log.ts";
import { SLOT, testArchiveStore } from "./archive_store_contract.ts";

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "groundwave-archive-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

testArchiveStore(
  (name, body) => Deno.test(`SQLite: ${name}`, body),
  async () => {
    const dir = await folder();
    return Object.assign(dir, { open: () => new SqliteStore(`${dir.path}/archive.db`) });
  },
);

/** What is said of a file that cannot be used. */
async function refusal(store: ArchiveStore): Promise<string> {
  try {
    await store.open();
  } catch (error) {
    assert.ok(error instanceof ArchiveTrouble, String(error));
    return error.message;
  } finally {
    await store.close();
  }
  throw new Error("it was opened");
}

Deno.test("what is no archive is refused, and left as it is", async () => {
  await using dir = await folder();
  const path = `${dir.path}/text.db`, text = "dear diary ".repeat(1000);
  await Deno.writeTextFile(path, text);
  assert.match(await refusal(new SqliteStore(path)), /no archive, or damaged/);
  assert.equal(await Deno.readTextFile(path), text);
  const other = `${dir.path}/other.db`;
  using database = new DatabaseSync(other);
  database.exec("CREATE TABLE diary (day TEXT)");
  database.close();
  const before = await Deno.readFile(other);
  assert.match(await refusal(new SqliteStore(other)), /no archive/);
  assert.deepEqual(await Deno.readFile(other), before);
});

Deno.test("a file that is damaged, of another version or of another process is refused", async () => {
  await using dir = await folder();
  const path = `${dir.path}/archive.db`, store = new SqliteStore(path);
  await store.open();
  assert.match(await refusal(new SqliteStore(path)), /another process has it open/);
  await store.close();
  const setVersion = (version: number) => {
    using database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${version}`);
  };
  setVersion(2);
  assert.match(await refusal(new SqliteStore(path)), /version 2, and this program knows 1/);
  setVersion(1);
  const bytes = await Deno.readFile(path);
  await Deno.writeFile(path, bytes.fill(7, 100));
  assert.match(await refusal(new SqliteStore(path)), /damaged/);
});

Deno.test("a place that is not there is refused", async () => {
  await using dir = await folder();
  assert.match(
    await refusal(new SqliteStore(`${dir.path}/none/archive.db`)),
    /its folder is there/,
  );
});

for (const file of ["archive.db", "archive.db-wal"]) {
  Deno.test(`nothing is taken for kept once ${file} is gone, until it is back`, async () => {
    await using dir = await folder();
    await using stack = new AsyncDisposableStack();
    const store = stack.adopt(new SqliteStore(`${dir.path}/archive.db`), (store) => store.close());
    await store.open();
    const message = { origin: A, seq: 1, channel: "a", atMs: 0, bytes: new Uint8Array(1) };
    const vector = new Map([[A, 1]]);
    const update = { slot: SLOT, base: new Map(), messages: [message], vector, forgotten: [] };
    const path = `${dir.path}/${file}`;
    await Deno.rename(path, `${path}.old`);
    await assert.rejects(store.write([update], 0), /removed or replaced: put it back/);
    await Deno.writeTextFile(path, "");
    await assert.rejects(store.write([update], 0), /removed or replaced/);
    await Deno.rename(`${path}.old`, path);
    assert.deepEqual(await store.write([update], 0), [vector]);
  });
}

/** A file system of 1 MiB, which takes root to make. */
async function smallDisk(path: string): Promise<AsyncDisposable> {
  const run = async (command: string, ...args: string[]) => {
    const { success } = await new Deno.Command(command, { args }).output();
    assert.ok(success, `${command} ${args.join(" ")}`);
  };
  await run("mount", "-t", "tmpfs", "-o", "size=1m", "groundwave-test", path);
  return { [Symbol.asyncDispose]: () => run("umount", path) };
}

Deno.test({
  name: "a disk that is full is said so, what was written stays, and it goes on when there is room",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using dir = await folder();
    await using _disk = await smallDisk(dir.path);
    await using stack = new AsyncDisposableStack();
    const store = stack.adopt(new SqliteStore(`${dir.path}/archive.db`), (store) => store.close());
    await store.open();
    const large = new Uint8Array(100_000), vector = new Map([[A, 2]]);
    const messages = [1, 2].map((seq) => ({ origin: A, seq, channel: "a", atMs: 0, bytes: large }));
    const update = { slot: SLOT, base: new Map(), messages, vector, forgotten: [] };
    const filler = `${dir.path}/filler`;
    await Deno.writeFile(filler, new Uint8Array(850_000));
    await assert.rejects(store.write([update], 0), /the disk is full/);
    const [none] = await store.standings([SLOT]);
    assert.deepEqual(none?.vector, new Map());
    await Deno.remove(filler);
    assert.deepEqual(await store.write([update], 0), [vector]);
  },
});
