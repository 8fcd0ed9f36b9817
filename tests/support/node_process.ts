/**
 * Nodes as processes of their own, for tests and benches.
 *
 * @module
 */

const ROOT = new URL("../..", import.meta.url).pathname;
const START_MS = 30_000;

/** A server in a child process that has said where it listens. */
export interface ServerProcess {
  /** Without a slash at the end. */
  readonly url: string;
  readonly pid: number;
  readonly status: Promise<Deno.CommandStatus>;
  /** Standard output and error so far. */
  readonly written: { out: string; err: string };
  /** SIGTERM by default; resolves when the process has ended and its output is complete. */
  end(signal?: Deno.Signal): Promise<Deno.CommandStatus>;
}

/** Runs `groundwave ARGS…`, by default on a port that the system chooses. */
export function startNode(...args: string[]): Promise<ServerProcess> {
  return startServer("src/main.ts", ...args);
}

/** Runs a script of the repository that prints its URL once it listens. */
export function startServer(script: string, ...args: string[]): Promise<ServerProcess> {
  return watchServer(script, new Deno.Command(...denoRun(script, ...args)).spawn());
}

/** The program and options that run a script of the repository, its output to be read. */
export function denoRun(script: string, ...args: string[]): [string, Deno.CommandOptions] {
  return [Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", ROOT + script, ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }];
}

/** Resolves once a child process, whose output is piped, has printed its URL. @throws {Error} with what it wrote instead. */
export async function watchServer(name: string, child: Deno.ChildProcess): Promise<ServerProcess> {
  const written = { out: "", err: "" }, listening = Promise.withResolvers<string>();
  const collect = async (from: ReadableStream<Uint8Array>, to: keyof typeof written) => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      written[to] += text;
      const url = /https?:\/\/[^\s/"]+/.exec(written[to]);
      if (url) listening.resolve(url[0]);
    }
  };
  const output = [collect(child.stdout, "out"), collect(child.stderr, "err")];
  const ended = Promise.all([child.status, ...output]).then(([status]) => status);
  ended.then(({ code }) => {
    listening.reject(new Error(`${name} did not listen (code ${code}):\n${written.err}`));
  });
  const late = setTimeout(() => child.kill("SIGKILL"), START_MS);
  const url = await listening.promise.finally(() => clearTimeout(late));
  return {
    url,
    pid: child.pid,
    status: child.status,
    written,
    end(signal = "SIGTERM") {
      try {
        child.kill(signal);
      } catch (error) {
        // It had ended by itself, which the status tells.
        if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound)) throw error;
      }
      return ended;
    },
  };
}

/** A UDP port for a cluster of its own, apart from all others on this machine. */
export function freeGroupPort(): number {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  const { port } = socket.addr as Deno.NetAddr;
  socket.close();
  return port;
}
