/**
 * A node whose sockets lose datagrams: the product's own composition over another socket. Its one argument is JSON.
 *
 * @module
 */
import { systemClock } from "../../backbone/clock.ts";
import { createLog } from "../../src/cli/log.ts";
import { startNode } from "../../src/cli/node.ts";
import { systemTerminal } from "../../src/cli/terminal.ts";
import { lossyUdp } from "../support/lossy_socket.ts";
import { dropper, type Loss } from "../support/pgm_faults.ts";
import { seededRandom } from "../support/random.ts";

/** What the tests decide. */
export interface LossyNodeConfig {
  readonly groupPort: number;
  readonly seed: number;
  readonly loss: Loss;
}

if (import.meta.main) {
  const { groupPort, seed, loss }: LossyNodeConfig = JSON.parse(Deno.args[0] ?? "");
  const node = await startNode({
    port: 0,
    host: "127.0.0.1",
    interface: "127.0.0.1",
    id: `lossy-${seed}`,
    region: "local",
    "group-base": "239.192.7.0",
    "group-count": 4,
    "group-port": groupPort,
  }, {
    clock: systemClock,
    log: createLog("text", Date.now, systemTerminal),
    openSocket: lossyUdp(dropper(loss, seededRandom(seed))),
  });
  console.log(node.url);
  Deno.addSignalListener("SIGTERM", () => void node.drain().then(() => Deno.exit(0)));
}
