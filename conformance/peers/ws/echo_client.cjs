// An echo client on the `ws` package: node echo_client.cjs URL [--deflate]
// Echoes until the peer closes. Exit status 0 after a clean close, 1 otherwise.
"use strict";
const WebSocket = require("ws");

const socket = new WebSocket(process.argv[2], {
  maxPayload: 16 * 1024 * 1024,
  maxFragments: 131072,
  maxBufferedChunks: 1 << 22,
  perMessageDeflate: process.argv.includes("--deflate"),
});
socket.on("message", (data, binary) => socket.send(data, { binary }));
socket.on("error", (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
socket.on("close", (code) => {
  if (code === 1006) process.exitCode = 1;
});
