// Plays one plan in Chromium with a server that echoes: exercise.cjs client PLAN URL
//
// The page stands at the server's own origin, as a browser's Origin is checked. $CHROMIUM names the browser.
// Exit status 0 when all came back as it should; the last line says what did not.
"use strict";
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { chromium } = require("playwright-core");

const [, planText, url] = process.argv.slice(2);

// Runs in the page.
async function inPage({ plan, url }) {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  const ready = [];
  let wake = null;
  const push = (item) => { ready.push(item); wake?.(); };
  socket.onmessage = (event) => push(event.data);
  const closed = new Promise((resolve) => { socket.onclose = (event) => { push(null); resolve(event); }; });
  const opened = await Promise.race([new Promise((resolve) => { socket.onopen = () => resolve(true); }), closed.then(() => false)]);
  if (!opened) return "no connection";
  if (plan.deflate && !socket.extensions.includes("permessage-deflate")) return "permessage-deflate was not negotiated";
  const receive = async () => {
    while (!ready.length) await new Promise((resolve) => { wake = resolve; });
    return ready.shift();
  };
  const same = (a, b) => {
    if (typeof a === "string" || typeof b === "string" || !a || !b) return a === b;
    const [x, y] = [new Uint8Array(a), new Uint8Array(b)];
    return x.length === y.length && x.every((byte, n) => byte === y[n]);
  };
  const round = async (messages) => {
    for (const message of messages) socket.send(message);
    for (const message of messages) if (!same(await receive(), message)) throw new Error("an echo differs");
  };
  try {
    if (plan.act === "sizes") {
      for (const size of [0, 1, 2, 125, 126, 127, 1000, 65535, 65536, 65537, 1 << 20]) {
        await round(["a".repeat(size), Uint8Array.from({ length: size }, (_, n) => n % 251).buffer, "世".repeat(size / 3)]);
      }
    } else if (plan.act === "random") {
      let state = plan.seed;
      const below = (n) => (state = (Math.imul(state, 1103515245) + 12345) >>> 1) % n;
      for (let n = 0; n < plan.messages; n += 10) {
        await round(Array.from({ length: Math.min(10, plan.messages - n) }, () => {
          const size = below(40) ? below(1500) : below(1 << 17);
          return below(2) ? "κόσμε words ".repeat(size / 12) : Uint8Array.from({ length: size }, () => below(256)).buffer;
        }));
      }
    }
    const [code, reason] = plan.act === "close" ? [plan.code, plan.reason] : [1000, ""];
    socket.close(code, reason);
    const event = await closed;
    if (!event.wasClean || event.code !== code || !["", reason].includes(event.reason)) {
      return `closed with ${code} ${reason}, got ${event.code} ${event.reason}, clean: ${event.wasClean}`;
    }
    return "";
  } catch (error) {
    return error.message;
  }
}

(async () => {
  const profile = mkdtempSync(join(tmpdir(), "chromium-"));
  const args = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    // The page is made up here, so Chromium does not know that it stands on the loopback like its server.
    "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets"];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args,
  });
  let failed = 0;
  try {
    const page = await context.newPage();
    await page.route("**/*", (route) => route.fulfill({ contentType: "text/html", body: "<title>exercise</title>" }));
    await page.goto(url.replace(/^ws/, "http"));
    // Several plans may come at once: starting a browser takes longer than most of them.
    for (const plan of [JSON.parse(planText)].flat()) {
      const wrong = await page.evaluate(inPage, { plan, url });
      console.log(`${plan.name} ${wrong || "ok"}`);
      failed += wrong ? 1 : 0;
    }
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
  process.exit(failed ? 1 : 0);
})().catch((error) => { console.log(`chromium ${error.message.split("\n")[0]}`); process.exit(1); });
