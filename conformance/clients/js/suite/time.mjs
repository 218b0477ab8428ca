// What ends with time: tokens, subscriptions, connections that have gone silent.
import { equal, has, ok } from "./check.mjs";
import { Inbox, next, until } from "./events.mjs";
import { connect, inSeconds, signed, subscribed } from "./world.mjs";

export const cases = {
  "a connection is refreshed in time and goes on": async (world) => {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      return signed({ sub: "ann", exp: inSeconds(asked < 3 ? 2 : 600) });
    };
    const client = await world.client({ user: null, getToken });
    const ends = new Inbox(client, "connecting");
    await connect(client);
    await until(() => asked === 3, "the third token");
    const answer = await client.rpc("echo", world.pack("still here"));
    equal(world.unpack(answer.data), "still here");
    equal(ends.rest().map(({ code }) => code), [0]);
  },

  "a connection that is not refreshed ends": async (world) => {
    let asked = 0;
    const getToken = () => (asked++ ? new Promise(() => {}) : signed({ sub: "ann", exp: inSeconds(2) }));
    const client = await world.client({ user: null, getToken });
    await connect(client);
    has(await next(client, "connecting"), { code: 3005, reason: "connection expired" });
  },

  "a connection with a token and no other ends for good": async (world) => {
    const client = await world.client({ claims: { exp: inSeconds(2) } });
    await connect(client);
    has(await next(client, "disconnected"), { code: 1 });
  },

  "a newer token of somebody else ends the connection": async (world) => {
    let asked = 0;
    const getToken = () => signed({ sub: asked++ ? "eve" : "ann", exp: inSeconds(asked === 1 ? 2 : 600) });
    const client = await world.client({ user: null, getToken });
    await connect(client);
    has(await next(client, "disconnected"), { code: 3500 });
  },

  "a subscription is refreshed in time and goes on": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    let asked = 0;
    const getToken = ({ channel }) => {
      asked += 1;
      return signed({ sub: "ann", channel, exp: inSeconds(asked < 3 ? 2 : 600) });
    };
    const [sub] = await subscribed(client, world.own("outside"), { getToken });
    const ends = new Inbox(sub, "subscribing");
    await until(() => asked === 3, "the third token");
    await client.rpc("echo", world.pack(1));
    equal(sub.state, "subscribed");
    equal(ends.rest(), []);
  },

  "a subscription that is not refreshed ends": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    let asked = 0;
    const getToken = ({ channel }) => (asked++ ? new Promise(() => {}) : signed({ sub: "ann", channel, exp: inSeconds(2) }));
    const [sub] = await subscribed(client, world.own("outside"), { getToken });
    has(await next(sub, "subscribing"), { code: 2501, reason: "subscription expired" });
    equal(client.state, "connected");
  },

  "the backend prolongs a connection, and ends it": async (world) => {
    const reply = (seconds) => ({ result: { expire_at: inSeconds(seconds) } });
    const meta = { refresh: { reply: reply(600) } };
    const data = world.pack({ backend: { reply: { result: { user: "ann", expire_at: inSeconds(2), meta } } } });
    const [client, { client: id }] = await world.connected({ server: "hooks", user: null, data });
    const ends = new Inbox(client, "connecting");
    await until(async () => (await world.rig("asked", { like: { hook: "refresh", client: id } })).length, "the question");
    await subscribed(client, world.channel("chat"));
    equal(ends.rest(), []);
    const expired = { refresh: { reply: { result: { expired: true } } } };
    const other = await world.client({
      server: "hooks", user: null, data: world.pack({ backend: { reply: { result: { user: "ann", expire_at: inSeconds(2), meta: expired } } } }),
    });
    await connect(other);
    has(await next(other, "connecting"), { code: 3005 });
  },

  "the backend prolongs a subscription, and ends it": async (world) => {
    const data = () => world.pack({ backend: { reply: { result: { expire_at: inSeconds(2) } } } });
    const replies = [{ result: { expire_at: inSeconds(600) } }, { result: { expired: true } }];
    const [[goesOn], [ends]] = await Promise.all(replies.map(async (reply) => {
      const [client] = await world.connected({ user: "ann", claims: { meta: { sub_refresh: { reply } } } });
      return subscribed(client, world.channel("granted"), { data: data() });
    }));
    const others = new Inbox(goesOn, "subscribing");
    has(await next(ends, "subscribing"), { code: 2501, reason: "subscription expired" });
    await until(async () => (await world.rig("asked", { like: { hook: "sub_refresh", channel: goesOn.channel } })).length, "the question");
    equal([goesOn.state, others.rest()], ["subscribed", []]);
  },

  "pings are answered": async (world) => {
    const [client, { client: id }] = await world.connected({ server: "brisk" });
    const ends = new Inbox(client, "connecting");
    const [sub] = await subscribed(client, world.channel("chat"));
    for (let n = 0; n < 12; n += 1) {
      await new Promise((resolve) => setTimeout(resolve, 450));
      ok((await sub.presence()).clients[id], "the client is there");
    }
    equal(ends.rest(), []);
  },

  "a server that has gone silent is left, a client too": async (world) => {
    const options = { server: "brisk", maxServerPingDelay: 300, line: `${world.line}-frozen` };
    const [client, { client: id }] = await world.connected(options);
    const [watcher] = await world.connected({ server: "brisk" });
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const left = next(client, "connecting");
    await world.rig("freeze", { name: "brisk", line: options.line, on: true });
    has(await left, { code: 2, reason: "no ping" });
    await until(async () => (await watcher.presenceStats(channel)).numClients === 0, "the end of the silent client");
    const back = next(sub, "subscribed");
    await world.rig("freeze", { name: "brisk", line: options.line, on: false });
    await back;
    const { clients } = await sub.presence();
    equal([Object.keys(clients).length, id in clients], [1, false]);
  },
};
