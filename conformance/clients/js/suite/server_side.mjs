// What the server does of its own accord: channels of tokens, personal ones, orders of the API.
import { equal, has, ok, refused } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { connect, subscribed, unsubscribed } from "./world.mjs";

const api = (world, method, request) => world.rig("api", { method, request }).then(({ result, error }) => {
  ok(!error, `the API refuses ${method}: ${JSON.stringify(error)}`);
  return result;
});

export const cases = {
  "a token's channels are subscribed to": async (world) => {
    const [chat, plain] = [world.channel("chat"), world.own("outside")];
    const client = await world.client({ claims: { subs: { [plain]: {}, [chat]: { info: { a: 1 }, data: { hello: "é" } } } } });
    const events = new Inbox(client, "subscribed");
    const publications = new Inbox(client, "publication");
    const { client: id } = await connect(client);
    const own = (await events.take(3)).filter(({ channel }) => !channel.startsWith("personal:"));
    equal(own.map(({ channel }) => channel).sort(), [chat, plain].sort());
    equal(world.unpack(own.find(({ channel }) => channel === chat).data), { hello: "é" });
    await client.publish(chat, world.pack("x"));
    const publication = await publications.one();
    has(publication, { channel: chat });
    equal(world.unpack(publication.info.chanInfo), { a: 1 });
    equal(Object.keys((await client.presence(chat)).clients), [id]);
    has(await unsubscribed(client, chat), { code: 105 });
    const short = await world.client({ claims: { channels: [chat, plain] } });
    const names = new Inbox(short, "subscribed", ({ channel }) => channel);
    await connect(short);
    equal((await names.take(3)).sort(), [chat, plain, "personal:#ann"].sort());
  },

  "each user has a channel": async (world) => {
    const user = world.own("ann");
    const inboxes = [];
    for (let n = 0; n < 2; n += 1) {
      const client = await world.client({ user });
      const event = next(client, "subscribed");
      client.connect();
      has(await event, { channel: `personal:#${user}`, recoverable: true });
      inboxes.push(new Inbox(client, "publication", ({ channel, data }) => [channel, world.unpack(data)]));
    }
    await api(world, "publish", { channel: `personal:#${user}`, data: { for: "you" } });
    for (const inbox of inboxes) equal(await inbox.one(), [`personal:#${user}`, { for: "you" }]);
    const [other] = await world.connected({ user: "bob" });
    has(await unsubscribed(other, `personal:#${user}`), { code: 103 });
    const nobody = await world.client({ user: null });
    const events = new Inbox(nobody, "subscribed");
    await connect(nobody);
    await refused(nobody.publish(`personal:#${user}`, world.pack(1)), 103);
    equal(events.rest(), []);
  },

  "the server publishes to many, with tags": async (world) => {
    const [client] = await world.connected();
    const channels = [world.channel("chat"), world.channel("chat")];
    const inboxes = await Promise.all(channels.map(async (channel) => new Inbox((await subscribed(client, channel))[0], "publication")));
    await api(world, "broadcast", { channels, data: { to: "all", text: "é" }, tags: { a: "1" } });
    for (const inbox of inboxes) {
      const publication = await inbox.one();
      equal(world.unpack(publication.data), { to: "all", text: "é" });
      equal(publication.tags, { a: "1" });
      has(publication, { offset: 1, info: undefined });
    }
  },

  "the server subscribes a user, and unsubscribes it": async (world) => {
    const user = world.own("ann");
    const [client, { client: id }] = await world.connected({ user });
    const channel = world.channel("chat");
    const publications = new Inbox(client, "publication", ({ channel: name, data }) => [name, world.unpack(data)]);
    const joined = next(client, "subscribed", (event) => event.channel === channel);
    await api(world, "subscribe", { user, channel });
    await joined;
    await client.publish(channel, world.pack(1));
    equal(await publications.one(), [channel, 1]);
    equal(Object.keys((await api(world, "presence", { channel })).presence), [id]);
    const left = next(client, "unsubscribed", (event) => event.channel === channel);
    await api(world, "unsubscribe", { user, channel });
    await left;
    await client.publish(channel, world.pack(2));
    await client.rpc("echo", world.pack(1));
    equal(publications.rest(), []);
  },

  "the server ends a subscription of the client's": async (world) => {
    const user = world.own("ann");
    const [client] = await world.connected({ user });
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const gone = next(sub, "unsubscribed");
    await api(world, "unsubscribe", { user, channel });
    has(await gone, { code: 2000, reason: "server unsubscribe" });
    equal(client.state, "connected");
  },

  "the server disconnects a user, for a while or for good": async (world) => {
    const user = world.own("ann");
    const [client] = await world.connected({ user });
    const [other] = await world.connected({ user: world.own("bob") });
    const [away, back] = [next(client, "connecting"), next(client, "connected")];
    await api(world, "disconnect", { user, disconnect: { code: 4000, reason: "come back" } });
    has(await away, { code: 4000, reason: "come back" });
    await back;
    const gone = next(client, "disconnected");
    await api(world, "disconnect", { user });
    has(await gone, { code: 3503, reason: "force disconnect" });
    equal(other.state, "connected");
  },

  "a history that was removed cannot be recovered": async (world) => {
    const channel = world.channel("recovery");
    const [client] = await world.connected();
    const [sub] = await subscribed(client, channel);
    const inbox = new Inbox(sub, "publication");
    await sub.publish(world.pack(1));
    await sub.publish(world.pack(2));
    await inbox.take(2);
    sub.unsubscribe();
    await api(world, "publish", { channel, data: 3 });
    await api(world, "history_remove", { channel });
    const back = next(sub, "subscribed");
    sub.subscribe();
    has(await back, { wasRecovering: true, recovered: false });
  },
};
