/**
 * What nodes that are processes of their own say on `/metrics`.
 *
 * @module
 */
import { eventually } from "./eventually.ts";

interface Node {
  readonly url: string;
}

/** One figure, its labels in its name as they are shown; NaN if there is none. */
export async function metric({ url }: Node, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((line) => line.startsWith(`groundwave_${name} `));
  return Number(line?.slice(line.lastIndexOf(" ")));
}

/** Resolves when two of the nodes are ready to keep each of so many groups. */
export async function custodiansReady(nodes: readonly Node[], groups: number): Promise<void> {
  await eventually(async () => {
    const ready = await Promise.all(nodes.map((node) => metric(node, "custody_ready")));
    return ready.reduce((sum, kept) => sum + kept, 0) === 2 * groups;
  }, "two custodians for each group");
}
