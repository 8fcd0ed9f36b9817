/**
 * Real Redis servers on loopback, each with a port and a folder of its own: single, Cluster, Sentinel.
 *
 * @module
 */
import { eventually } from "./eventually.ts";

const START_MS = 20_000;

export interface RedisServer {
  readonly port: number;
  /** `127.0.0.1:PORT`. */
  readonly address: string;
  /** Sends it a signal. */
  signal(signal: Deno.Signal): void;
  /** Runs a command by `redis-cli` and answers what that prints. */
  cli(...args: readonly string[]): Promise<string>;
  /** Ends it at once, without saving. Idempotent. */
  stop(): Promise<void>;
  /** Stops it and, after a while, starts it on its port again: empty, or with what it saved last. */
  restart(downMs?: number): Promise<RedisServer>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A test that dials Redis: the library lets go of its sockets and timers a moment after it was told to. */
export function redisTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** Starts a server with further configuration, such as `["--requirepass", "secret"]`. */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const dir = await Deno.makeTempDir({ prefix: "groundwave-redis-" });
  const own = ["--bind", "127.0.0.1", "--dir", dir, "--save", ""];
  return await launchAnywhere(dir, (port) => ["--port", `${port}`, ...own, ...args]);
}

/** A TCP port that nobody uses now. */
export function freeTcpPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function launchAnywhere(
  dir: string,
  args: (port: number) => readonly string[],
): Promise<RedisServer> {
  // A port may be taken between its choice and its use.
  for (let attempt = 1;; attempt++) {
    const port = freeTcpPort();
    try {
      return await launch(port, dir, args(port));
    } catch (error) {
      if (attempt < 3) continue;
      await Deno.remove(dir, { recursive: true });
      throw error;
    }
  }
}

async function launch(port: number, dir: string, args: readonly string[]): Promise<RedisServer> {
  const child = new Deno.Command("redis-server", {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const output = collect(child.stdout), late = setTimeout(() => child.kill("SIGKILL"), START_MS);
  await output.ready.finally(() => clearTimeout(late));
  let ended: Promise<unknown> | undefined, removed: Promise<void> | undefined;
  const end = () => {
    // SIGKILL ends what SIGSTOP has stopped as well.
    if (!ended) child.kill("SIGKILL");
    return ended ??= Promise.all([child.status, output.done]);
  };
  const stop = async () => {
    await end();
    await (removed ??= Deno.remove(dir, { recursive: true }));
  };
  return {
    port,
    address: `127.0.0.1:${port}`,
    signal: (signal) => child.kill(signal),
    cli: (...command) => redisCli(port, command),
    stop,
    async restart(downMs = 0) {
      await end();
      await new Promise((resolve) => setTimeout(resolve, downMs));
      removed = Promise.resolve();
      return await launch(port, dir, args);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Reads a server's log to its end; it is ready when it says so, and rejects if it never does. */
function collect(from: ReadableStream<Uint8Array>): { ready: Promise<void>; done: Promise<void> } {
  const ready = Promise.withResolvers<void>();
  let log = "";
  const read = async () => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      log += text;
      if (/Ready to accept connections|Sentinel ID is/.test(log)) ready.resolve();
    }
    ready.reject(new Error(`redis-server ended before it was ready:\n${log}`));
  };
  // Nobody waits for it any longer when the server is stopped.
  ready.promise.catch(() => {});
  return { ready: ready.promise, done: read() };
}

async function redisCli(port: number, command: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("redis-cli", {
    args: ["-p", `${port}`, ...command],
    stdin: "null",
  }).output();
  return (new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr)).trim();
}

/** Servers that end together. */
export interface RedisServers<T> extends AsyncDisposable {
  readonly servers: T;
}

/** Three masters that share the key slots. */
export async function startRedisCluster(): Promise<RedisServers<readonly RedisServer[]>> {
  await using stack = new AsyncDisposableStack();
  const servers: RedisServer[] = [], buses = [freeTcpPort(), freeTcpPort(), freeTcpPort()];
  for (const bus of buses) {
    const args = ["--cluster-enabled", "yes", "--cluster-port", `${bus}`];
    servers.push(stack.use(await startRedis(args)));
  }
  for (const [i, server] of servers.entries()) {
    const from = Math.ceil(i * 16384 / 3), to = Math.ceil((i + 1) * 16384 / 3) - 1;
    await server.cli("cluster", "addslotsrange", `${from}`, `${to}`);
    await servers[0]?.cli("cluster", "meet", "127.0.0.1", `${server.port}`, `${buses[i]}`);
  }
  for (const server of servers) {
    const isOk = async () => /cluster_state:ok/.test(await server.cli("cluster", "info"));
    await eventually(isOk, "the Redis Cluster");
  }
  return together(stack, servers);
}

/** A master, its replica, and the sentinel that watches them. */
export interface SentinelSet {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinel: RedisServer;
}

/** A master named `mymaster`, its replica, and a sentinel that promotes it soon after the master is gone. */
export async function startRedisSentinel(): Promise<RedisServers<SentinelSet>> {
  await using stack = new AsyncDisposableStack();
  const master = stack.use(await startRedis());
  const replica = stack.use(await startRedis(["--replicaof", "127.0.0.1", `${master.port}`]));
  const dir = await Deno.makeTempDir({ prefix: "groundwave-sentinel-" });
  const config = `${dir}/sentinel.conf`,
    lines = [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds mymaster 500",
      "sentinel failover-timeout mymaster 2000",
    ];
  await Deno.writeTextFile(config, lines.map((line) => `${line}\n`).join(""));
  const args = (port: number) => [config, "--sentinel", "--port", `${port}`];
  const sentinel = stack.use(await launchAnywhere(dir, args));
  const isKnown = async () =>
    /num-slaves\s+1/.test(await sentinel.cli("sentinel", "master", "mymaster")) &&
    /master_link_status:up/.test(await replica.cli("info", "replication"));
  await eventually(isKnown, "the Sentinel set");
  return together(stack, { master, replica, sentinel });
}

function together<T>(stack: AsyncDisposableStack, servers: T): RedisServers<T> {
  const running = stack.move();
  return { servers, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
