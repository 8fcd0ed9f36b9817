/**
 * Short commands of the system, run to their end before anything else: they also have to work in a signal handler.
 *
 * @module
 */

/**
 * Runs a shell script that stops at its first failure; answers its standard output.
 *
 * @throws {Error} with what the script wrote on standard error, if it fails.
 */
export function shell(script: string): string {
  const { success, code, stdout, stderr } = new Deno.Command("sh", {
    args: ["-euc", script],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).outputSync();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`sh ended with ${code}: ${decode(stderr).trim()}\n${script}`);
  return decode(stdout);
}
