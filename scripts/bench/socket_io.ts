/**
 * Socket.IO with its Redis adapter, from npm: the peer that the cluster bench measures beside.
 *
 * @module
 */

/** What is installed. */
const SOCKET_IO = {
  "socket.io": "4.8.4",
  "@socket.io/redis-adapter": "8.3.0",
  redis: "6.3.1",
} as const;

const SERVER = new URL("socket_io_server.mjs", import.meta.url);

/**
 * Installs it into a folder; answers the command of a server, to be followed by its host and the URL of a Redis.
 *
 * @throws {Error} with npm's words, or if there is no Node.
 */
export async function installSocketIo(folder: string): Promise<readonly string[]> {
  const manifest = { private: true, type: "module", dependencies: SOCKET_IO };
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify(manifest));
  await Deno.copyFile(SERVER, `${folder}/server.mjs`);
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"],
    cwd: folder,
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return ["node", `${folder}/server.mjs`];
}
