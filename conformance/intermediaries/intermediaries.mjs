// What stands between client and server.
import { hostileHttp } from "./hostile/http.mjs";
import { hostileWire } from "./hostile/wire.mjs";
import { installed, start } from "./program.mjs";

/** A proxy from Debian, and what is spoken with it: see `Route`. */
const program = (name, config, spoken = {}) => ({
  async start({ server, certificates }) {
    if (!(await installed(name))) return { missing: `${name} is not installed` };
    const { port, close } = await start(name, config, server, certificates);
    return { route: { port, server, ...spoken }, close };
  },
});

/** Our own one: `http` and `wire` are what its two parts do. Times are given in parts of the silence that every probe keeps. */
const hostile = ({ http, wire, ...spoken }) => ({
  isHostile: true,
  async start({ server, silence }) {
    const inner = http && (await hostileHttp(server, http));
    const options = wire && { ...wire, idle: wire.idle && wire.idle * silence, life: wire.life && wire.life * silence };
    const outer = wire && (await hostileWire(inner?.port ?? server, options));
    const close = () => [outer, inner].forEach((it) => it?.close());
    return { route: { port: (outer ?? inner).port, server, ...spoken }, close };
  },
});

/** Each has `start({server, certificates, silence})`, which gives `{route, close}`, or `{missing}` with the reason. */
export const INTERMEDIARIES = {
  none: { start: async ({ server }) => ({ route: { port: server, server }, close() {} }) },
  nginx: program("nginx", "nginx.conf"),
  "nginx, Upgrade": program("nginx", "nginx_upgrade.conf"),
  "nginx, TLS and h2": program("nginx", "nginx_h2.conf", { tls: true, h2: true }),
  haproxy: program("haproxy", "haproxy.cfg"),
  "haproxy, TLS and h2": program("haproxy", "haproxy_h2.cfg", { tls: true, h2: true }),
  "haproxy, h2 behind": program("haproxy", "haproxy_h2_behind.cfg"),
  caddy: program("caddy", "Caddyfile"),
  "caddy, TLS and h2": program("caddy", "Caddyfile_h2", { tls: true, h2: true }),
  "caddy, h2 behind": program("caddy", "Caddyfile_h2_behind"),
  squid: program("squid", "squid.conf", { forward: "sockets" }),
  "squid, CONNECT": program("squid", "squid.conf", { forward: "all" }),
  "squid, accelerator": program("squid", "squid_accelerator.conf"),
  "hostile: nothing": hostile({ http: {}, wire: {} }),
  "hostile: no Upgrade": hostile({ http: { upgrade: "strip" } }),
  "hostile: holds 1 KiB": hostile({ http: { upgrade: "strip", hold: 1024 } }),
  "hostile: holds all": hostile({ http: { upgrade: "strip", hold: Infinity } }),
  "hostile: closes when idle": hostile({ wire: { idle: 5 / 7 } }),
  "hostile: cuts after a while": hostile({ wire: { life: 4 / 7 } }),
  "hostile: single bytes": hostile({ wire: { split: true } }),
  "hostile: latency": hostile({ wire: { latency: 150 } }),
  "hostile: 101 and garbage": hostile({ http: { upgrade: "garbage" } }),
  "hostile: Upgrade gets 200": hostile({ http: { upgrade: 200 } }),
  "hostile: Upgrade gets 403": hostile({ http: { upgrade: 403 } }),
  "hostile: Upgrade hangs": hostile({ http: { upgrade: "hang" } }),
  "hostile: all of it": hostile({ http: { upgrade: "hang", hold: Infinity }, wire: { idle: 5 / 7, latency: 40, split: true } }),
  "hostile: no CONNECT": hostile({ http: { tunnel: false }, forward: "sockets" }),
};
