import { ArchivePlace, MemoryArchive } from "../../support/memory_archive.ts";
import { testArchiveStore } from "./archive_store_contract.ts";

testArchiveStore((name, body) => Deno.test(`in memory: ${name}`, body), () => {
  const place = new ArchivePlace();
  return Promise.resolve({
    open: () => new MemoryArchive(place),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  });
});
