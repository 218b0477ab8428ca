// Plays one plan on the `ws` package with a peer that echoes.
//
//     exercise.cjs client PLAN URL     connects to the URL
//     exercise.cjs server PLAN         prints its URL, plays with the first client that connects
//
// PLAN is JSON, see plans.py. Exit status 0 when all came back as it should; the last line says what did not.
"use strict";
const { isDeepStrictEqual } = require("node:util");
const WebSocket = require("ws");

const SIZES = [0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 65537, 1 << 20];
const WORDS = ["alpha", "beta", "gamma", "delta", "κόσμε", "世界", "🌍", "the same words", " ", "\n"];
const [role, planText, url] = process.argv.slice(2);
const plan = JSON.parse(planText);

// A generator of 32-bit numbers from a seed (mulberry32), so that a run can be repeated.
function numbers(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function randomMessage(below) {
  let size = [0, 1, below(126), below(126), below(2000)][below(5)];
  if (below(50) === 0) size = [65535, 65536, below(1 << 18)][below(3)];
  const kind = below(3);
  if (kind === 0) return Buffer.from(Array.from({ length: size }, () => below(256)));
  let text = "";
  while (text.length < size) text += WORDS[below(WORDS.length)];
  return kind === 1 ? text : Buffer.from(text);
}

// Messages and the end of a connection as promises, in order.
class Inbox {
  constructor(socket) {
    this.socket = socket;
    this.ready = [];
    this.waiting = [];
    socket.on("message", (data, binary) => this.push(binary ? data : data.toString()));
    this.closed = new Promise((resolve) => socket.on("close", (code, reason) => resolve([code, reason.toString()])));
    socket.on("error", (error) => this.push(error));
    this.closed.then(([code]) => this.push(new Error(`closed with ${code}`)));
  }
  push(item) {
    const next = this.waiting.shift();
    next ? next(item) : this.ready.push(item);
  }
  async expect(message) {
    const item = this.ready.length ? this.ready.shift() : await new Promise((resolve) => this.waiting.push(resolve));
    if (item instanceof Error) throw item;
    if (!isDeepStrictEqual(item, message)) {
      throw new Error(`sent ${typeof message} of ${message.length}, got ${typeof item} of ${item.length}`);
    }
  }
}

function send(socket, message, parts = 1, compress = true) {
  const binary = typeof message !== "string";
  const bytes = Buffer.from(message);
  const step = Math.ceil(bytes.length / parts) || 1;
  for (let n = 0; n < parts; n++) {
    socket.send(bytes.subarray(n * step, (n + 1) * step), { binary, compress, fin: n === parts - 1 });
  }
}

async function play(socket, inbox) {
  if (plan.act === "sizes") {
    for (const size of SIZES) {
      const bytes = Buffer.from(Array.from({ length: size }, (_, n) => n % 251));
      for (const message of ["a".repeat(size), bytes, "世".repeat(size / 3)]) {
        send(socket, message);
        await inbox.expect(message);
      }
    }
  } else if (plan.act === "fragments") {
    for (const parts of [2, 3, 100]) {
      for (const message of ["κόσμε 🌍 ".repeat(1000), Buffer.alloc(256000, "0123456789abcdef")]) {
        send(socket, message, parts);
        await inbox.expect(message);
      }
    }
  } else if (plan.act === "pings") {
    for (const payload of [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(125, "p")]) {
      const pong = new Promise((resolve) => socket.once("pong", resolve));
      socket.ping(payload);
      if (!payload.equals(await pong)) throw new Error(`the pong of ${payload.length} bytes differs`);
      send(socket, "between");
      await inbox.expect("between");
    }
  } else if (plan.act === "random") {
    const below = numbers(plan.seed);
    const sent = [];
    for (let n = 0; n < plan.messages; n++) {
      const message = randomMessage(below);
      send(socket, message, [1, 1, 1, 2, 5][below(5)], below(5) > 0);
      sent.push(message);
      // At most 16 are under way, so that neither side has to keep much.
      for (const room = below(16); sent.length > room; ) await inbox.expect(sent.shift());
    }
    for (const message of sent) await inbox.expect(message);
  }
  const [code, reason] = plan.act === "close" ? [plan.code, plan.reason] : [1000, ""];
  socket.close(code, reason);
  const [seenCode, seenReason] = await inbox.closed;
  if (seenCode !== code || !["", reason].includes(seenReason)) {
    throw new Error(`closed with ${code} ${reason}, got ${seenCode} ${seenReason}`);
  }
}

function compression(asServer) {
  if (!plan.deflate) return false;
  const given = { threshold: 0, zlibDeflateOptions: { level: 3 } };
  // Given as false they would forbid the other end to ask for a reset.
  if (plan.deflate.serverReset) given.serverNoContextTakeover = true;
  if (plan.deflate.clientReset) given.clientNoContextTakeover = true;
  if (plan.deflate.serverBits) given.serverMaxWindowBits = plan.deflate.serverBits;
  if (plan.deflate.clientBits) given.clientMaxWindowBits = plan.deflate.clientBits;
  else if (!asServer) given.clientMaxWindowBits = true;
  return given;
}

function end(error) {
  if (error) console.log(`${error.name}: ${error.message}`);
  process.exit(error ? 1 : 0);
}

function begin(socket) {
  const inbox = new Inbox(socket);
  const start = () => {
    if (plan.deflate && !socket.extensions.includes("permessage-deflate")) {
      return end(new Error("permessage-deflate was not negotiated"));
    }
    play(socket, inbox).then(() => end(), end);
  };
  if (socket.readyState === WebSocket.OPEN) return start();
  const refused = (error) => end(error);
  socket.once("error", refused);
  socket.on("open", () => {
    socket.off("error", refused);
    start();
  });
}

const maxPayload = 17 << 20;
if (role === "client") {
  begin(new WebSocket(url, { perMessageDeflate: compression(false), maxPayload, handshakeTimeout: 20000 }));
} else {
  const server = new WebSocket.Server({ host: "127.0.0.1", port: 0, perMessageDeflate: compression(true), maxPayload });
  server.on("connection", begin);
  server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}/`));
}
