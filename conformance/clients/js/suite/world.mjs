// What a case has: clients of one transport and encoding, names of its own, the rig, tokens.
import { next } from "./events.mjs";

const SECRET = "secret of the clients' tests";

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const utf8 = (text) => new TextEncoder().encode(text);

/** A token: HS256 over the claims, or with another header and secret. */
export async function signed(claims, { header = { alg: "HS256", typ: "JWT" }, secret = SECRET } = {}) {
  const said = [header, claims].map((part) => base64url(utf8(JSON.stringify(part)))).join(".");
  const key = await crypto.subtle.importKey("raw", utf8(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return `${said}.${base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, utf8(said))))}`;
}

/** The time in `seconds` from now, as tokens tell it. */
export const inSeconds = (seconds) => Math.floor(Date.now() / 1000) + seconds;

let worlds = 0;
let hosts = 0;

/**
 * A `fetch` that keeps order: the client sends commands side by side, and they would be carried out in any order. And one that
 * does not throw: the client has nobody who would catch that.
 */
function inOrder(fetch, uplink) {
  let before = Promise.resolve();
  const quiet = (...words) => fetch(...words).catch(() => new Response(null, { status: 503 }));
  return (url, options) => {
    if (url !== uplink) return quiet(url, options);
    return (before = before.then(() => quiet(url, options)));
  };
}

export class World {
  #packages;
  #rig;
  #clients = [];
  #channels = 0;
  #id = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}${worlds++}`;

  /**
   * `packages` are `{json, protobuf, options, hasHosts}`: the client's classes, what each is made with here, and whether every
   * name in `localhost` leads to this machine. `rig` is its URL, and `way` has transport and encoding.
   */
  constructor(packages, rig, { transport, encoding }, isLong = false) {
    this.#packages = packages;
    this.#rig = rig;
    this.transport = transport;
    this.encoding = encoding;
    /** Whether the run takes its time. */
    this.isLong = isLong;
  }

  /** Asks the rig. */
  async rig(act, fields = {}) {
    const answer = await fetch(`${this.#rig}/rig`, { method: "POST", body: JSON.stringify({ do: act, name: "main", ...fields }) });
    if (!answer.ok) throw new Error(`the rig: ${await answer.text()}`);
    return answer.json();
  }

  /** The line of this case's clients. */
  get line() {
    return this.#id;
  }

  /** A name that no other case has. */
  own(name) {
    return `${name}-${this.#id}`;
  }

  /** A channel that no other case has. */
  channel(namespace) {
    this.#channels += 1;
    return `${namespace}:${this.#id}-${this.#channels}`;
  }

  isProtobuf(encoding = this.encoding) {
    return encoding === "protobuf";
  }

  /** Data as the client takes it. */
  pack(data, encoding) {
    return this.isProtobuf(encoding) ? utf8(JSON.stringify(data)) : data;
  }

  /** Data as the client gives it. */
  unpack(data) {
    return data instanceof Uint8Array ? JSON.parse(new TextDecoder().decode(data)) : data;
  }

  /** A client of `user` (null is nobody, without a token), not connected yet. `options` are centrifuge-js's. */
  async client({ user = "ann", claims = {}, server = "main", config = server, line = this.line, encoding = this.encoding, ...options } = {}) {
    const { endpoint } = await this.rig("server", { name: server, config });
    const token = user === null ? {} : { token: await signed({ sub: user, ...claims }) };
    const made = { minReconnectDelay: 20, maxReconnectDelay: 200, ...token, ...this.#packages.options, ...options };
    const client = new this.#packages[encoding](...this.#target(new URL(endpoint), line, made));
    this.#clients.push(client);
    return client;
  }

  /** Where a client connects to, and its options. */
  #target({ port, pathname }, line, options) {
    if (this.transport === "websocket") return [`ws://127.0.0.1:${port}${pathname}?line=${line}`, options];
    // A browser makes six connections to a host, and shares them among all that is on the page.
    const host = this.#packages.hasHosts ? `client${(hosts += 1)}.localhost` : "127.0.0.1";
    const at = (path) => `http://${host}:${port}${path}?line=${line}`;
    const emulationEndpoint = at("/emulation");
    const fetch = inOrder(options.fetch ?? globalThis.fetch.bind(globalThis), emulationEndpoint);
    const transports = [{ transport: this.transport, endpoint: at(`/connection/${this.transport}`) }];
    return [transports, { ...options, fetch, emulationEndpoint }];
  }

  /** The same, connected: its `connected` event comes with it. */
  async connected(options) {
    const client = await this.client(options);
    return [client, await connect(client)];
  }

  /** Disconnects every client. */
  end() {
    for (const client of this.#clients) client.disconnect();
  }
}

/** Connects, and gives the event. */
export async function connect(client) {
  const connected = next(client, "connected");
  client.connect();
  return connected;
}

/** A subscription that comes back soon. */
export const subscription = (client, channel, options = {}) =>
  client.newSubscription(channel, { minResubscribeDelay: 20, maxResubscribeDelay: 200, ...options });

/** Subscribes, and gives the subscription and its event. */
export async function subscribed(client, channel, options) {
  const sub = subscription(client, channel, options);
  const event = next(sub, "subscribed");
  sub.subscribe();
  return [sub, await event];
}

/** Subscribes in vain, and gives the event. */
export async function unsubscribed(client, channel, options) {
  const sub = subscription(client, channel, options);
  const event = next(sub, "unsubscribed");
  sub.subscribe();
  return event;
}
