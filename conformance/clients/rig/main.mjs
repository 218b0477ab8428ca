// The rig of the clients' tests: servers on free ports, relays before them, a backend behind them, and a page for browsers.
//
//     ANTIPHON_BIN=... CLIENTS_DIR=... node conformance/clients/rig/main.mjs
//
// Prints its URL, and ends when its standard input does. Tests, in whatever language, ask it with `POST /rig`:
// a JSON object whose `do` is one of ACTS below. It is answered with JSON; with status 500 and a sentence where it failed.
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { Backend } from "./backend.mjs";
import { Server } from "./server.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const BINARY = process.env.ANTIPHON_BIN ?? join(HERE, "../../target/debug/antiphon");
const INSTALLED = process.env.CLIENTS_DIR ?? join(HERE, "../../target/conformance/clients");
const HOOKS = {
  ANTIPHON_CLIENT__PROXY__CONNECT__ENDPOINT: "connect",
  ANTIPHON_CLIENT__PROXY__REFRESH__ENDPOINT: "refresh",
  ANTIPHON_CHANNEL__PROXY__SUBSCRIBE__ENDPOINT: "subscribe",
  ANTIPHON_CHANNEL__PROXY__PUBLISH__ENDPOINT: "publish",
  ANTIPHON_CHANNEL__PROXY__SUB_REFRESH__ENDPOINT: "sub_refresh",
  ANTIPHON_RPC__PROXY__ENDPOINT: "rpc",
  ANTIPHON_EVENTS__ENDPOINT: "events",
};
const TYPES = { ".html": "text/html", ".mjs": "text/javascript", ".js": "text/javascript" };

const backend = new Backend();
/** The servers, by name, each as a promise. */
const servers = new Map();
let url = "";

const ACTS = {
  /** Starts the server `name` on `config`, unless it runs. */
  async server({ name, config = name }) {
    if (!servers.has(name)) servers.set(name, start(config));
    const server = await servers.get(name);
    return { endpoint: `ws://127.0.0.1:${server.relayPort}/connection/websocket`, api: `http://127.0.0.1:${server.port}/api` };
  },
  /** Ends the server with `signal`, starts it anew, and tells how it ended. */
  async restart({ name, signal }) {
    const server = await servers.get(name);
    const status = await server.stop(signal);
    await server.start();
    return { status };
  },
  /** Breaks the connections of `line`. */
  cut: ({ name, line }) => at(name, line, (it) => it.cut()),
  /** Breaks them and takes no others, or takes them again. */
  block: ({ name, line, on }) =>
    at(name, line, (it) => {
      it.isBlocked = on;
      if (on) it.cut();
    }),
  /** Passes nothing on, in both directions, or goes on. */
  freeze: ({ name, line, on }) => at(name, line, (it) => it.freeze(on)),
  /** How many connections `line` has made. */
  count: ({ name, line }) => at(name, line, (it) => it.count),
  /** What the backend was asked, as far as it has the fields `like`. */
  asked: ({ like }) => backend.asked(like),
  /** Asks the server's API. */
  async api({ name, method, request }) {
    const server = await servers.get(name);
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/${method}`, {
      method: "POST",
      headers: { "X-API-Key": "key of the clients' tests" },
      body: JSON.stringify(request),
    });
    if (!answer.ok) throw new Error(`the API said ${answer.status}: ${await answer.text()}`);
    return answer.json();
  },
};

async function start(config) {
  const environment = { ANTIPHON_CLIENT__ALLOWED_ORIGINS: url, ANTIPHON_EVENTS__SECRET: "secret of the events" };
  for (const [variable, hook] of Object.entries(HOOKS)) environment[variable] = `${url}/hook/${hook}`;
  const server = new Server(BINARY, join(HERE, "config", `${config}.toml`), environment);
  await server.start();
  return server;
}

async function at(name, line, act) {
  const server = await servers.get(name);
  return act(server.relay.line(line)) ?? null;
}

async function read(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return JSON.parse(Buffer.concat(parts).toString());
}

/** The file of a path: the page and the suite, and the packages that are installed. */
function file(path) {
  const [, folder, ...rest] = path.split("/");
  if (rest.includes("..")) return null;
  if (folder === "packages") return join(INSTALLED, "node_modules", ...rest);
  if (folder === "js") return join(HERE, "js", ...rest);
  return null;
}

async function respond(request, path) {
  if (request.method === "POST" && path === "/rig") {
    const { do: act, ...rest } = await read(request);
    return { type: "application/json", body: JSON.stringify(await ACTS[act](rest)) };
  }
  if (request.method === "POST" && path === "/hook/events") {
    backend.take(await read(request));
    return { type: "application/json", body: "{}" };
  }
  if (request.method === "POST" && path.startsWith("/hook/")) {
    const { status, body } = await backend.answer(path.slice(6), await read(request), request.headers);
    return { status, type: "application/json", body };
  }
  const name = file(path);
  return name ? { type: TYPES[extname(name)], body: await readFile(name) } : { status: 404, body: "" };
}

const web = createServer(async (request, response) => {
  try {
    const { status = 200, type = "text/plain", body } = await respond(request, new URL(request.url, url).pathname);
    response.writeHead(status, { "Content-Type": type, "Cache-Control": "no-store" }).end(body);
  } catch (error) {
    response.writeHead(500).end(String(error?.message ?? error));
  }
});

async function end() {
  for (const server of servers.values()) await server.then((it) => it.close(), () => {});
  process.exit(0);
}

web.listen(0, "127.0.0.1", () => {
  url = `http://127.0.0.1:${web.address().port}`;
  console.log(url);
});
process.stdin.resume().on("end", end);
process.on("SIGTERM", end);
