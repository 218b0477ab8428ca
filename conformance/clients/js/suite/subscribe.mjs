// Who may subscribe to what.
import { equal, has, refused } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { signed, subscribed, subscription, unsubscribed } from "./world.mjs";

export const cases = {
  "a channel that nobody may subscribe to is refused": async (world) => {
    const [client] = await world.connected();
    has(await unsubscribed(client, world.own("outside")), { code: 103, reason: "permission denied" });
    equal(client.state, "connected");
  },

  "an unknown namespace is refused": async (world) => {
    const [client] = await world.connected();
    has(await unsubscribed(client, world.channel("nowhere")), { code: 102, reason: "unknown channel" });
  },

  "names that are none are refused": async (world) => {
    const [client] = await world.connected();
    for (const name of [`chat:${"x".repeat(300)}`, "chat:é", "chat:a\nb", "world:1"]) {
      has(await unsubscribed(client, name), { code: 107 }, name);
    }
    equal(client.state, "connected");
  },

  "names are in any script where a namespace says so": async (world) => {
    const [client] = await world.connected();
    const letters = [...world.line].map((letter) => String.fromCodePoint(0x4e00 + letter.codePointAt(0))).join("");
    const channel = `world:Ωκεανός 海 ${letters} नमस्ते`;
    const [sub] = await subscribed(client, channel);
    const publications = new Inbox(sub, "publication");
    await sub.publish(world.pack("là"));
    const publication = await publications.one();
    has(publication, { channel });
    equal(world.unpack(publication.data), "là");
  },

  "the anonymous need leave of their own": async (world) => {
    const [client] = await world.connected({ user: null });
    has(await unsubscribed(client, world.channel("chat")), { code: 103 });
    await subscribed(client, world.channel("lobby"));
  },

  "a token opens a channel": async (world) => {
    const [client, { client: id }] = await world.connected({ user: "ann" });
    const name = world.own("outside");
    const token = await signed({ sub: "ann", channel: name, info: { role: "boss" } });
    const [sub] = await subscribed(client, name, { token });
    await refused(sub.publish(world.pack(1)), 103);
    const { result } = await world.rig("api", { method: "presence", request: { channel: name } });
    equal(result.presence[id].chan_info, { role: "boss" });
  },

  "a private channel needs a token": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    const channel = `$${world.channel("chat")}`;
    has(await unsubscribed(client, channel), { code: 103 });
    const getToken = ({ channel: asked }) => signed({ sub: "ann", channel: asked });
    await subscribed((await world.connected({ user: "ann" }))[0], channel, { getToken });
  },

  "a token for something or somebody else ends the connection": async (world) => {
    const name = world.own("outside");
    for (const claims of [{ sub: "ann", channel: `${name}2` }, { sub: "bob", channel: name }, { sub: "ann", channel: name, client: "x" }]) {
      const [client] = await world.connected({ user: "ann" });
      const disconnected = next(client, "disconnected");
      subscription(client, name, { token: await signed(claims) }).subscribe();
      has(await disconnected, { code: 3500 }, JSON.stringify(claims));
    }
  },

  "a token with another signature, or without a channel, opens nothing": async (world) => {
    const name = world.own("outside");
    for (const token of [await signed({ sub: "ann", channel: name }, { secret: "another" }), await signed({ sub: "ann" }), "x"]) {
      const [client] = await world.connected({ user: "ann" });
      has(await unsubscribed(client, name, { token }), { code: 103 }, token);
    }
  },

  "who cannot get a token is not subscribed": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    has(await unsubscribed(client, world.own("outside"), { getToken: async () => null }), { code: 1 });
  },

  "a channel that lists users is for them": async (world) => {
    const [ann] = await world.connected({ user: "ann" });
    const [bob] = await world.connected({ user: "bob" });
    const [eve] = await world.connected({ user: "eve" });
    const [nobody] = await world.connected({ user: null });
    const channel = `${world.channel("users")}#ann,bob`;
    const [sub] = await subscribed(ann, channel);
    const [other] = await subscribed(bob, channel);
    for (const client of [eve, nobody]) has(await unsubscribed(client, channel), { code: 103 });
    const publications = new Inbox(other, "publication");
    await sub.publish(world.pack("between us"));
    has((await publications.one()).info, { user: "ann" });
  },

  "after an unsubscription nothing comes, after another subscription it does": async (world) => {
    const [client] = await world.connected();
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const publications = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    const gone = next(sub, "unsubscribed");
    sub.unsubscribe();
    has(await gone, { code: 0 });
    await client.publish(channel, world.pack("unheard"));
    equal((await client.presenceStats(channel)).numClients, 0);
    const back = next(sub, "subscribed");
    sub.subscribe();
    await back;
    await client.publish(channel, world.pack("heard"));
    equal(await publications.one(), "heard");
    equal(publications.rest(), []);
  },

  "many channels are subscribed to at once, and no more than allowed": async (world) => {
    const [client] = await world.connected({ user: null });
    const subs = Array.from({ length: 20 }, () => subscription(client, world.channel("lobby")));
    const all = subs.map((sub) => next(sub, "subscribed"));
    for (const sub of subs) sub.subscribe();
    await Promise.all(all);
    has(await unsubscribed(client, world.channel("lobby")), { code: 106, reason: "limit exceeded" });
    subs[0].unsubscribe();
    await subscribed(client, world.channel("lobby"));
  },

  "the backend says who subscribes, and what it is told": async (world) => {
    const [client, { client: id }] = await world.connected({ user: "ann" });
    const channel = world.channel("hooked");
    const reply = { result: { info: { seat: 7 }, data: { topic: "ü" }, override: { force_positioning: { value: true } } } };
    const [sub, event] = await subscribed(client, channel, { data: world.pack({ backend: { reply }, more: true }) });
    equal(world.unpack(event.data), { topic: "ü" });
    has(event, { positioned: true, recoverable: false });
    equal(world.unpack((await sub.presence()).clients[id].chanInfo), { seat: 7 });
    const [question] = await world.rig("asked", { like: { hook: "subscribe", channel } });
    has(question, { user: "ann", client: id });
    equal(question.data.more, true);
  },

  "the backend refuses a subscription": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    const refusal = (reply) => ({ data: world.pack({ backend: { reply } }) });
    has(await unsubscribed(client, world.channel("hooked"), refusal({ error: { code: 1234, message: "full" } })), { code: 1234, reason: "full" });
    const disconnected = next(client, "disconnected");
    subscription(client, world.channel("hooked"), refusal({ disconnect: { code: 4600, reason: "out" } })).subscribe();
    has(await disconnected, { code: 4600, reason: "out" });
  },

  "a subscription whose backend fails is tried again": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    for (const backend of [{ status: 503 }, { delay: 4000 }, { reply: 1 }]) {
      let tries = 0;
      const getData = async () => world.pack({ backend: tries++ ? {} : backend });
      const sub = subscription(client, world.channel("hooked"), { getData });
      const errors = new Inbox(sub, "error", ({ error }) => error.code);
      const event = next(sub, "subscribed");
      sub.subscribe();
      await event;
      equal([tries, errors.rest()], [2, [100]], JSON.stringify(backend));
    }
  },
};
