/**
 * A worker that sends numbered datagrams to a group on loopback, in bursts and without end: what comes from elsewhere while
 * the test is busy. Its name is `address:port`.
 *
 * @module
 */
import { setTimeout } from "node:timers/promises";

const [hostname = "", port] = self.name.split(":");
const socket = Deno.listenDatagram({
  transport: "udp",
  hostname: "127.0.0.1",
  port: 0,
  loopback: true,
});
const bytes = new Uint8Array(4), view = new DataView(bytes.buffer);
for (let number = 0;; number++) {
  view.setUint32(0, number);
  await socket.send(bytes, { transport: "udp", hostname, port: Number(port) });
  if (number % 7 === 0) await setTimeout(0);
}
