// An echo server on the `ws` package: node echo_server.cjs [--deflate]
// Prints its URL on the first line.
"use strict";
const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  maxPayload: 16 * 1024 * 1024,
  // ws counts buffered fragments; Autobahn's longest message has 65,536.
  maxFragments: 131072,
  maxBufferedChunks: 1 << 22,
  perMessageDeflate: process.argv.includes("--deflate") && { threshold: 0, zlibDeflateOptions: { level: 1 } },
});
server.on("connection", (socket) => {
  socket.on("message", (data, binary) => socket.send(data, { binary }));
  socket.on("error", () => {}); // ws closes with the right code itself
});
server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/echo`));
