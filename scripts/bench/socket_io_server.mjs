/** Socket.IO with its Redis adapter behind the least that publishes by POST: `node … HOST REDIS_URL`. Runs beside its packages. */
import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [host, url] = process.argv.slice(2);
const publisher = createClient({ url }), subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (text) => body += text);
  request.on("end", () => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/publish") {
      for (const { channel, data } of JSON.parse(body).messages) {
        io.to(channel).emit("message", data);
      }
    } else {
      io.to(decodeURIComponent(pathname.slice("/publish/".length))).emit("message", body);
    }
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
});
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
  // Nobody answers pings here.
  pingInterval: 600_000,
});
io.on("connection", (socket) => {
  socket.join(socket.handshake.query.channels.split(","));
  socket.emit("joined");
});
http.listen(0, host, () => console.log(`http://${host}:${http.address().port}`));
