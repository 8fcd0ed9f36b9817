import { deepEqual } from "node:assert/strict";
import { encodeData, encodeNak, encodeSpm } from "../../backbone/pgm/encode.ts";
import { marksOf } from "../../backbone/pgm/packet.ts";
import { openUdp } from "../../backbone/udp.ts";
import { freePort } from "../support/free_port.ts";
import { kindOf } from "../support/pgm_faults.ts";

Deno.test("the kernel keeps our own data from us, and hands on what others send, requests to us among it", async () => {
  const port = freePort(), group = { address: "239.192.7.1", port };
  const own = { gsi: 0xc18a_7594_c44a, sourcePort: 32_769, destinationPort: port };
  const heard: string[] = [], done = Promise.withResolvers<void>();
  const fail = (_kind: string, cause: unknown) => done.reject(cause);
  const socket = await openUdp({ interfaceAddress: "127.0.0.1", error: fail });
  try {
    await socket.join(group, {
      datagram: (bytes) => {
        heard.push(kindOf(bytes));
        if (bytes.length === 17) done.resolve();
      },
      echo: marksOf(own),
      error: fail,
    });
    const data = (stream: typeof own) =>
      encodeData(stream, { sqn: 1, trail: 0, payload: new Uint8Array(9) });
    const datagrams = [
      data(own),
      encodeSpm(own, { sqn: 1, trail: 0, lead: 1, nla: 1, fin: false }),
      encodeNak(own, "nak", { sqns: [1], sourceNla: 1, groupNla: 2 }),
      data({ ...own, gsi: own.gsi + 1 }),
      data({ ...own, gsi: own.gsi + 2 ** 40 }),
      data({ ...own, sourcePort: 32_770 }),
      new Uint8Array(17),
    ];
    for (const datagram of datagrams) await socket.send(datagram, group);
    await done.promise;
    deepEqual(heard, ["nak", "data", "data", "data", "control"]);
  } finally {
    socket.close();
  }
});
