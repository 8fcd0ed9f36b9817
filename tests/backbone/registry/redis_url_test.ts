import { deepEqual, doesNotMatch, equal, throws } from "node:assert/strict";
import { parseRedisUrl } from "../../../backbone/registry/redis_url.ts";

Deno.test("every form of URL says where, and shows neither user nor password", () => {
  const cases: [string, Partial<ReturnType<typeof parseRedisUrl>>][] = [
    ["redis://localhost", {
      kind: "single",
      tls: false,
      hosts: [{ host: "localhost", port: 6379 }],
    }],
    ["redis://[::1]:7000/3", { hosts: [{ host: "::1", port: 7000 }], database: 3 }],
    ["rediss://a.example:6380/", { tls: true, hosts: [{ host: "a.example", port: 6380 }] }],
    ["redis://:p%40ss:w@h", { username: undefined, password: "p@ss:w", shown: "redis://h" }],
    ["redis://me:secret@h:1/2", { username: "me", password: "secret", shown: "redis://h:1/2" }],
    ["redis://me@h", { username: "me", password: undefined }],
    ["redis+sentinel://a,b:5/main", {
      kind: "sentinel",
      master: "main",
      hosts: [{ host: "a", port: 26379 }, { host: "b", port: 5 }],
    }],
    ["rediss+sentinel://u:p@a/main/4", { tls: true, master: "main", database: 4 }],
    ["redis+cluster://:p@a:1,b:2", { kind: "cluster", shown: "redis+cluster://a:1,b:2" }],
  ];
  for (const [text, expected] of cases) {
    const url: Record<string, unknown> = { ...parseRedisUrl(text) };
    for (const [key, value] of Object.entries(expected)) deepEqual(url[key], value, text);
  }
  equal(parseRedisUrl("redis://localhost").database, 0);
});

Deno.test("what is no such URL is refused without being repeated", () => {
  const cases = [
    "",
    "localhost:6379",
    "http://secret@h",
    "redis://",
    "redis://u:secret@",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:x",
    "redis://h/x",
    "redis://h/1?secret=1",
    "redis://secret@h,i",
    "redis://h i",
    "redis://u:secret%zz@h",
    "redis+sentinel://h",
    "redis+sentinel://h/name/x",
    "redis+cluster://h/1",
    "redis+cluster://h,,i",
    `redis+cluster://${Array.from({ length: 65 }, () => "h").join()}`,
  ];
  for (const text of cases) {
    throws(() => parseRedisUrl(text), (error) => {
      equal((error as Error).name, "RangeError", text);
      doesNotMatch((error as Error).message, /secret/);
      return true;
    });
  }
});
