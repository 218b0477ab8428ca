// Who may connect, and what the client is told.
import { equal, has, ok } from "./check.mjs";
import { Inbox, next, until } from "./events.mjs";
import { connect, inSeconds, signed, subscribed } from "./world.mjs";

/** How a client that cannot connect ends. */
async function turnedAway(client) {
  const disconnected = next(client, "disconnected");
  client.connect();
  return disconnected;
}

export const cases = {
  "who shows no token connects where that is allowed": async (world) => {
    const [client, connected] = await world.connected({ user: null });
    has(connected, { transport: world.transport });
    ok(/^[0-9a-f-]{36}$/.test(connected.client), `the client's id is ${connected.client}`);
    equal(client.state, "connected");
  },

  "a connection can be ended and begun again": async (world) => {
    const [client, first] = await world.connected();
    const disconnected = next(client, "disconnected");
    client.disconnect();
    has(await disconnected, { code: 0 });
    const second = await connect(client);
    ok(first.client !== second.client, "each connection has an id of its own");
  },

  "a token says who the client is and what others see of it": async (world) => {
    const [client, { client: id }] = await world.connected({ user: "ann", claims: { info: { name: "Ann" }, exp: inSeconds(60) } });
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const { clients } = await sub.presence();
    equal(Object.keys(clients), [id]);
    has(clients[id], { client: id, user: "ann" });
    equal(world.unpack(clients[id].connInfo), { name: "Ann" });
  },

  "a token that has expired is asked for anew": async (world) => {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      return signed({ sub: "ann" });
    };
    const errors = [];
    const client = await world.client({ claims: { exp: inSeconds(-60) }, getToken });
    client.on("error", ({ error }) => errors.push(error.code));
    await connect(client);
    equal([asked, errors], [1, [109]]);
  },

  "who has no newer token is turned away": async (world) => {
    const client = await world.client({ claims: { exp: inSeconds(-60) } });
    client.on("error", () => {});
    has(await turnedAway(client), { code: 1 });
  },

  "a token with another signature ends the connection for good": async (world) => {
    const token = await signed({ sub: "ann" }, { secret: "another" });
    has(await turnedAway(await world.client({ user: null, token })), { code: 3500, reason: "invalid token" });
  },

  "a token without a signature ends the connection for good": async (world) => {
    const whole = await signed({ sub: "ann" }, { header: { alg: "none" } });
    const token = `${whole.slice(0, whole.lastIndexOf("."))}.`;
    has(await turnedAway(await world.client({ user: null, token })), { code: 3500 });
  },

  "what is no token ends the connection for good": async (world) => {
    for (const token of ["x", "a.b.c", "🔑", `${await signed({ sub: "ann" })}=`, await signed([1])]) {
      has(await turnedAway(await world.client({ user: null, token })), { code: 3500 }, token);
    }
  },

  "a token whose time has not come ends the connection": async (world) => {
    const client = await world.client({ claims: { nbf: inSeconds(3600) } });
    client.on("error", () => {});
    const { code } = await turnedAway(client);
    ok([1, 3500].includes(code), `it is turned away with ${code}`);
  },

  "many clients connect at once": async (world) => {
    const all = await Promise.all(Array.from({ length: 10 }, (_, n) => world.connected({ user: `user${n}` })));
    equal(new Set(all.map(([, { client }]) => client)).size, 10);
  },

  "commands before the connection wait for it": async (world) => {
    const client = await world.client();
    const called = client.rpc("echo", world.pack({ n: 1 }));
    client.connect();
    equal(world.unpack((await called).data), { n: 1 });
  },

  "the backend says who connects, and what it is told": async (world) => {
    const user = world.own("eve");
    const reply = { result: { user, info: { from: "backend" }, data: { welcome: "é" }, channels: [world.channel("chat")] } };
    const client = await world.client({
      server: "hooks", user: null, name: "suite", version: "7", data: world.pack({ backend: { reply }, more: [1] }),
      headers: { "x-device": world.own("phone") },
    });
    const joined = next(client, "subscribed");
    const connected = await connect(client);
    equal(world.unpack(connected.data), { welcome: "é" });
    has(await joined, { channel: reply.result.channels[0] });
    const [question] = await world.rig("asked", { like: { hook: "connect", client: connected.client } });
    has(question, { name: "suite", version: "7", transport: world.transport, protocol: world.encoding });
    equal(question.data.more, [1]);
    equal(question.headers["x-device"], world.own("phone"), "the header that the client named");
    const [sub] = await subscribed(client, world.channel("chat"));
    const { clients } = await sub.presence();
    has(clients[connected.client], { user });
    equal(world.unpack(clients[connected.client].connInfo), { from: "backend" });
  },

  "the backend refuses with a code of its own": async (world) => {
    for (const [reply, code, reason] of [
      [{ error: { code: 1000, message: "closed today" } }, 1000, "closed today"],
      [{ disconnect: { code: 4501, reason: "banned" } }, 4501, "banned"],
    ]) {
      const data = world.pack({ backend: { reply } });
      has(await turnedAway(await world.client({ server: "hooks", user: null, data })), { code, reason });
    }
  },

  "a backend that fails, hangs or talks nonsense lets the client try again": async (world) => {
    for (const backend of [{ status: 500 }, { delay: 4000 }, { reply: "hello" }, { reply: { disconnect: { code: 1 } } }]) {
      let tries = 0;
      const good = { reply: { result: { user: "ann" } } };
      const getData = async () => world.pack({ backend: tries++ ? good : backend });
      const client = await world.client({ server: "hooks", user: null, getData });
      const errors = new Inbox(client, "error", ({ error }) => error.code);
      await connect(client);
      equal([tries, errors.rest()], [2, [100]], JSON.stringify(backend));
    }
  },

  "a client with a token does not concern the backend": async (world) => {
    const [, { client }] = await world.connected({ server: "hooks", user: world.own("bob") });
    equal(await world.rig("asked", { like: { hook: "connect", client } }), []);
  },

  "what a client sends reaches the backend": async (world) => {
    const [client, { client: id }] = await world.connected({ user: world.own("sue") });
    await client.send(world.pack({ hello: "backend" }));
    await client.rpc("echo", world.pack(1));
    const [event] = await until(async () => {
      const events = await world.rig("asked", { like: { hook: "event", client: id } });
      return events.length ? events : null;
    }, "the event");
    has(event, { user: world.own("sue"), data: { hello: "backend" } });
  },
};
