/** Nodes that stop for a while and go on, as processes and virtual machines do. */
import assert from "node:assert/strict";
import { custodiansReady } from "../support/node_metrics.ts";
import { freeGroupPort, type ServerProcess, startNode } from "../support/node_process.ts";

const GROUPS = 4;
/** Others act in the place of a node that is silent; and longer than it is in view. */
const STOPPED_MS = [1400, 3000];

async function post({ url }: ServerProcess, target: string): Promise<string> {
  const response = await fetch(url + target, { method: "POST", body: "x" });
  const { id, error } = await response.json();
  assert.equal(response.status, 200, JSON.stringify(error));
  return id;
}

/** The node that published the message of an id. */
function publisherOf(nodes: readonly ServerProcess[], id: string): ServerProcess {
  for (const node of nodes) {
    const { out, err } = node.written;
    if ((out + err).includes(`origin=${id.split(".")[0]} url=`)) return node;
  }
  throw new Error(`nobody published ${id}`);
}

/** Stops the node that sequences a channel for so long, and gives keys to all. */
async function stopSequencer(stoppedMs: number): Promise<void> {
  const nodes: ServerProcess[] = [];
  const cluster = ["dev", "--port", "0", "--group-port", String(freeGroupPort())];
  let stopped: ServerProcess | undefined;
  try {
    for (let n = 0; n < 3; n++) {
      nodes.push(await startNode(...cluster, "--group-count", String(GROUPS)));
    }
    await custodiansReady(nodes, GROUPS);
    const [any] = nodes;
    assert.ok(any);
    const sequencer = publisherOf(nodes, await post(any, "/publish/news?order=total"));
    const others = nodes.filter((node) => node !== sequencer);
    stopped = sequencer;
    Deno.kill(sequencer.pid, "SIGSTOP");
    const keys = Array.from({ length: 20 }, (_, n) => `/publish/news?key=${n}`);
    const meanwhile = [];
    for (const [n, key] of keys.entries()) {
      const node = others[n % 2];
      assert.ok(node);
      meanwhile.push(post(node, key));
      await new Promise((resolve) => setTimeout(resolve, stoppedMs / keys.length));
    }
    // These wait in its sockets, and are the first that it sees.
    const waiting = keys.map((key) => post(sequencer, key));
    Deno.kill(sequencer.pid, "SIGCONT");
    const ids = await Promise.all(meanwhile);
    assert.deepEqual(await Promise.all(waiting), ids);
    const [other] = others;
    assert.ok(other);
    for (const [n, key] of keys.entries()) assert.equal(await post(other, key), ids[n]);
  } finally {
    if (stopped) Deno.kill(stopped.pid, "SIGCONT");
    await Promise.all(nodes.map((node) => node.end("SIGKILL")));
  }
}

for (const stoppedMs of STOPPED_MS) {
  Deno.test(`a sequencer that was stopped for ${stoppedMs} ms gives no key a second id when it goes on`, () =>
    stopSequencer(stoppedMs));
}
