// Antiphon's own client through an intermediary: it has to end on a transport that works, and to miss nothing.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { Inbox } from "./inbox.mjs";
import { Route } from "./route.mjs";

const PACKAGE = process.env.ANTIPHON_CLIENT ?? fileURLToPath(new URL("../../web/packages/client/dist/index.js", import.meta.url));
const INSTALLED = process.env.CLIENTS_DIR ?? fileURLToPath(new URL("../../target/conformance/clients", import.meta.url));
const MESSAGES = 200;

/** Why the client cannot be tried, or null. */
export function missing() {
  if (!existsSync(PACKAGE)) return `the client is not built, there is no ${PACKAGE}`;
  if (!existsSync(`${INSTALLED}/node_modules/ws`)) return "ws is not installed: conformance/clients/setup.sh";
  return null;
}

let channels = 0;

/** Tries it, as `probe` does. Gives `{opened, transport}`: how long until the subscription, and what the client ended on. */
export async function probeClient(route, { publish, silence, limit }) {
  const { connect } = await import(PACKAGE);
  const way = new Route(route);
  const client = connect("http://127.0.0.1/", { fetch: fetchOver(way), WebSocket: socketOver(way), timeout: limit / 2 });
  const outcome = { transports: [] };
  const [inbox, troubles] = [new Inbox(), []];
  client.on("transport", (name) => outcome.transports.push(name));
  client.on("error", (error) => troubles.push(error.message));
  let step = "open";
  const heard = async (n) => {
    // A client that has to find another transport first takes its time.
    const { data } = await inbox.next(6 * limit);
    if (data.n !== n) throw new Error(`message ${data.n} came where ${n} was due`);
  };
  try {
    const channel = client.channel(`client${(channels += 1)}`);
    channel.on("message", (message) => inbox.push(message));
    channel.on("gap", () => inbox.fail("messages were missed"));
    channel.on("unsubscribed", ({ code, reason }) => inbox.fail(`unsubscribed with ${code} ${reason}`));
    const begun = performance.now();
    await Promise.race([channel.subscribe(), sleep(6 * limit, null, { ref: false }).then(() => Promise.reject(new Error("no subscription")))]);
    outcome.opened = performance.now() - begun;
    step = "first message";
    await publish(channel.name, { n: 0 });
    await heard(0);
    outcome.first = performance.now() - begun - outcome.opened;
    step = `message after ${silence / 1000} s`;
    await sleep(silence);
    await publish(channel.name, { n: 1 });
    await heard(1);
    step = `${MESSAGES} messages`;
    for (let n = 2; n < 2 + MESSAGES; n += 1) await publish(channel.name, { n });
    for (let n = 2; n < 2 + MESSAGES; n += 1) await heard(n);
  } catch (error) {
    outcome.wrong = `${step}: ${error.message} (on ${outcome.transports.join(", ") || "nothing"}; ${troubles.slice(-3).join("; ")})`;
  } finally {
    client.disconnect();
    // What it says at last is on its way.
    setTimeout(() => way.end(), 500).unref();
  }
  return outcome;
}

/** The path and query of a URL: the host is the route's. */
const pathOf = (url) => url.toString().replace(/^\w+:\/\/[^/]*/, "");

/** A `fetch` that goes through a route. */
function fetchOver(way) {
  return async (url, { method = "GET", headers = {}, body, signal } = {}) => {
    const asked = way.request({ method, path: pathOf(url), headers: Object.fromEntries(new Headers(headers)), body, signal });
    const answer = await asked.catch((error) => {
      throw new TypeError("fetch failed", { cause: error });
    });
    const hasBody = ![204, 304].includes(answer.status);
    if (!hasBody) answer.body.resume();
    const fields = Object.entries(answer.headers).filter(([name]) => !/^:|^(content-encoding|content-length)$/.test(name));
    return new Response(hasBody ? Readable.toWeb(answer.body) : null, { status: answer.status, headers: fields });
  };
}

/** A `WebSocket` that goes through a route. */
function socketOver(way) {
  const WebSocket = createRequire(`${INSTALLED}/package.json`)("ws");
  return class extends WebSocket {
    constructor(url, protocols = []) {
      const { url: origin, agent } = way.socket;
      super(`${origin}${pathOf(url)}`, protocols, { agent, rejectUnauthorized: false });
      // Like a browser's, it does not throw where nobody listens.
      this.on("error", () => {});
    }
  };
}
