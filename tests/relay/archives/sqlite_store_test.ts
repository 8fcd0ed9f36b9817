import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type ArchiveStore, ArchiveTrouble } from "../../../relay/archives/archive_store.ts";
import { SqliteStore } from "../../../relay/archives/sqlite_store.ts";
import { testArchiveStore } from "./archive_store_contract.ts";

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
