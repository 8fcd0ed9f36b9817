/**
 * The least that `Deno.serve` can do for a publish and a subscriber: the yardstick of the latency bench.
 *
 * @module
 */

const readers = new Set<ReadableStreamDefaultController<Uint8Array>>();
const encoder = new TextEncoder();

function subscribe(): Response {
  let reader: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      readers.add(reader = controller);
      controller.enqueue(encoder.encode("retry: 1000\n\n"));
    },
    cancel: () => void readers.delete(reader),
  });
  return new Response(body, { headers: { "content-type": "text/event-stream" } });
}

async function publish(request: Request): Promise<Response> {
  const block = encoder.encode(`data: ${await request.text()}\n\n`);
  for (const reader of readers) reader.enqueue(block);
  return Response.json({ readers: readers.size });
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  onListen: ({ hostname, port }) => console.log(`http://${hostname}:${port}`),
}, (request) => request.method === "POST" ? publish(request) : subscribe());
