// How requests get to the server: straight, through a reverse proxy, or through a forward proxy.
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { pipeline } from "node:stream";
import { constants, createGunzip } from "node:zlib";

/** Opens each of its connections through a proxy, with CONNECT. */
class TunnelAgent extends http.Agent {
  #proxy;

  constructor(proxy) {
    super({ keepAlive: true });
    this.#proxy = proxy;
  }

  createConnection({ host, port }, done) {
    const asked = http.request({ host: "127.0.0.1", port: this.#proxy, method: "CONNECT", path: `${host}:${port}`, agent: false });
    asked.on("connect", (response, socket) => {
      if (response.statusCode === 200) return done(null, socket);
      socket.destroy();
      done(new Error(`CONNECT was answered with ${response.statusCode}`));
    });
    asked.on("response", (response) => {
      response.resume();
      done(new Error(`CONNECT was answered with ${response.statusCode}`));
    });
    asked.on("error", done);
    asked.end();
  }
}

const VERSIONED = { "sec-websocket-version": "13" };

export class Route {
  #isTls;
  #isH2;
  /** How a request is sent, and how a WebSocket is opened: the port, what comes before the path, and the agent. */
  #plain;
  #upgrading;
  #session = null;

  /**
   * `port` is the intermediary's, or the server's own. `tls` and `h2` say what is spoken there. `forward` says where it is a
   * forward proxy what goes through CONNECT: `sockets` alone, as in a browser on a page without TLS, or `all`, as on one with it;
   * `server` is the server's port then.
   */
  constructor({ port, server, tls = false, h2 = false, forward = null }) {
    this.#isTls = tls;
    this.#isH2 = h2;
    const direct = { port, before: "", agent: new (tls ? https : http).Agent({ keepAlive: true, rejectUnauthorized: false }) };
    const tunnel = { port: server, before: "", agent: new TunnelAgent(port) };
    this.#upgrading = forward ? tunnel : direct;
    this.#plain = { sockets: { ...direct, before: `http://127.0.0.1:${server}` }, all: tunnel }[forward] ?? direct;
  }

  /** The agent of WebSockets, and the URL that they are opened at. */
  get socket() {
    const { agent, port } = this.#upgrading;
    return { agent, url: `${this.#isTls ? "wss" : "ws"}://127.0.0.1:${port}` };
  }

  /**
   * Sends a request: `{status, headers, body}`, the body as a stream. Like a browser it takes a response that is compressed.
   * `signal` aborts it.
   */
  async request({ method = "GET", path, headers = {}, body, signal }) {
    const all = { "accept-encoding": "gzip", ...headers };
    const answer = await (this.#isH2 ? this.#overH2(method, path, all, body, signal) : this.#overH1(method, path, all, body, signal));
    const whole = answer.headers["content-encoding"] === "gzip" ? unpacked(answer.body) : answer.body;
    const abort = () => whole.destroy();
    signal?.addEventListener("abort", abort);
    whole.on("close", () => signal?.removeEventListener("abort", abort));
    return { ...answer, body: whole };
  }

  async #overH2(method, path, headers, body, signal) {
    const session = await this.#h2();
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream: body === undefined, signal });
    if (body !== undefined) stream.end(body);
    const answered = await response(stream);
    return { status: answered[":status"], headers: answered, body: stream };
  }

  #overH1(method, path, headers, body, signal) {
    return new Promise((resolve, reject) => {
      const asked = this.#http(this.#plain, method, path, headers, signal);
      asked.on("response", (it) => resolve({ status: it.statusCode, headers: it.headers, body: it }));
      asked.on("error", (error) => reject(new Error(`the request broke: ${error.code ?? error.message}`)));
      asked.end(body);
    });
  }

  /** Opens a WebSocket with the Upgrade of HTTP/1.1: `{stream, head}`. */
  async upgrade(path) {
    const key = randomBytes(16).toString("base64");
    const headers = { ...VERSIONED, connection: "Upgrade", upgrade: "websocket", "sec-websocket-key": key };
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    return new Promise((resolve, reject) => {
      const asked = this.#http(this.#upgrading, "GET", path, headers);
      asked.on("response", (it) => {
        it.resume();
        reject(new Error(`the Upgrade was answered with ${it.statusCode}`));
      });
      asked.on("upgrade", (it, stream, head) => {
        if (it.headers["sec-websocket-accept"] === accept) return resolve({ stream, head });
        stream.destroy();
        reject(new Error("the 101 does not accept the key"));
      });
      asked.on("error", (error) => reject(new Error(`the Upgrade broke: ${error.code ?? error.message}`)));
      asked.end();
    });
  }

  /** Opens a WebSocket with the extended CONNECT of HTTP/2 (RFC 8441): `{stream}`. */
  async connect(path) {
    const session = await this.#h2();
    if (!session.remoteSettings.enableConnectProtocol) throw new Error("the peer has not switched extended CONNECT on");
    const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": path, ...VERSIONED }, { endStream: false });
    const status = (await response(stream))[":status"];
    if (status === 200) return { stream };
    stream.destroy();
    throw new Error(`the extended CONNECT was answered with ${status}`);
  }

  end() {
    for (const { agent } of [this.#plain, this.#upgrading]) agent.destroy();
    this.#session?.then((session) => session.destroy(), () => {});
  }

  #http({ port, before, agent }, method, path, headers, signal) {
    const options = { host: "127.0.0.1", port, method, path: before + path, headers, agent, signal };
    return (this.#isTls ? https : http).request({ ...options, rejectUnauthorized: false });
  }

  #h2() {
    this.#session ??= new Promise((resolve, reject) => {
      const session = http2.connect(`https://127.0.0.1:${this.#plain.port}`, { rejectUnauthorized: false });
      session.on("error", reject);
      session.once("remoteSettings", () => resolve(session));
    });
    return this.#session;
  }
}

/** A stream that is unpacked as it comes. */
function unpacked(body) {
  const gunzip = createGunzip({ flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH });
  return pipeline(body, gunzip, () => {});
}

/** The head of what a stream of HTTP/2 is answered with. */
function response(stream) {
  return new Promise((resolve, reject) => {
    stream.on("response", resolve);
    stream.on("error", (error) => reject(new Error(`the stream broke: ${error.code ?? error.message}`)));
    stream.on("close", () => reject(new Error("the stream was closed without a response")));
  });
}
