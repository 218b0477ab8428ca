// Publications: who may, what arrives, and that it is the same.
import { equal, has, ok, refused } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { subscribed } from "./world.mjs";

/** The largest message that the server takes. */
const LIMIT = 64 * 1024;

export const cases = {
  "what a client publishes comes to all, and to itself": async (world) => {
    const [ann, { client: id }] = await world.connected({ user: "ann", claims: { info: { name: "Ann" } } });
    const channel = world.channel("chat");
    const [own] = await subscribed(ann, channel);
    const others = await Promise.all(["bob", "bob", "eve"].map(async (user) => (await subscribed((await world.connected({ user }))[0], channel))[0]));
    const inboxes = [own, ...others].map((sub) => new Inbox(sub, "publication"));
    await own.publish(world.pack({ text: "hi" }));
    for (const inbox of inboxes) {
      const publication = await inbox.one();
      has(publication, { channel, offset: 1 });
      has(publication.info, { user: "ann", client: id });
      equal(world.unpack(publication.info.connInfo), { name: "Ann" });
      equal(world.unpack(publication.data), { text: "hi" });
    }
  },

  "many publications come in their order": async (world) => {
    const [client] = await world.connected();
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const readers = await Promise.all([1, 2, 3].map(async (n) => (await subscribed((await world.connected({ user: `r${n}` }))[0], channel))[0]));
    const inboxes = [sub, ...readers].map((it) => new Inbox(it, "publication", ({ data, offset }) => [world.unpack(data), offset]));
    // Over HTTP each is a request, and the next one waits for it.
    const count = world.transport === "websocket" ? 1000 : 200;
    await Promise.all(Array.from({ length: count }, (_, n) => sub.publish(world.pack(n))));
    for (const inbox of inboxes) equal(await inbox.take(count), Array.from({ length: count }, (_, n) => [n, n + 1]));
  },

  "publications of many clients come to all in one order": async (world) => {
    const channel = world.channel("chat");
    const members = await Promise.all(Array.from({ length: 5 }, async (_, n) => {
      const [sub] = await subscribed((await world.connected({ user: `u${n}` }))[0], channel);
      return { sub, inbox: new Inbox(sub, "publication", ({ data, offset }) => [world.unpack(data), offset]) };
    }));
    const rounds = 40;
    await Promise.all(members.map(async ({ sub }, author) => {
      for (let n = 0; n < rounds; n += 1) await sub.publish(world.pack({ author, n }));
    }));
    const [first, ...others] = await Promise.all(members.map(({ inbox }) => inbox.take(rounds * members.length)));
    for (const other of others) equal(other, first, "what another member saw");
    equal(first.map(([, offset]) => offset), first.map((_, n) => n + 1), "the offsets");
    for (let author = 0; author < members.length; author += 1) {
      equal(first.filter(([data]) => data.author === author).map(([data]) => data.n), Array.from({ length: rounds }, (_, n) => n));
    }
  },

  "who may not publish is told so": async (world) => {
    const [client] = await world.connected();
    const channel = world.channel("readonly");
    const [sub] = await subscribed(client, channel);
    await refused(sub.publish(world.pack(1)), 103);
    await refused(client.publish(world.channel("nowhere"), world.pack(1)), 102);
    await refused(client.publish(world.channel("lobby"), world.pack(1)), 103, "a publication without a subscription");
    await client.publish(world.channel("chat"), world.pack(1));
  },

  "values of every kind come as they were": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("chat"));
    const publications = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    const values = [
      0, -0.5, 1e300, false, true, "", "null", [], {}, [[[]]], [null, 1], { a: null }, { "": 0 },
      "𝄞 \u0000 \u001f \u007f \u2028 \u2029 \ufeff \uffff \"\\/", "e\u0301 ≠ é", "👩‍👩‍👧‍👦🏳️‍🌈", "\ud83d", { "ключ 🔑": "värde" },
      "line\nbreak\r\nand\ttab", { __proto__: null, constructor: 1 }, 9007199254740991,
    ];
    for (const value of values) {
      await sub.publish(world.pack(value));
      equal(JSON.stringify(await publications.one()), JSON.stringify(value));
    }
  },

  "nothing cannot be published": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("chat"));
    const nothing = world.isProtobuf() ? new Uint8Array() : undefined;
    await refused(sub.publish(nothing), 107);
    equal(client.state, "connected");
  },

  "a namespace can insist on objects": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("json"));
    await refused(sub.publish(world.pack([1])), 107);
    await sub.publish(world.pack({}));
  },

  "a message close to the limit passes, a larger one does not": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("chat"));
    const publications = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    const text = "x".repeat(LIMIT - 200);
    await sub.publish(world.pack(text));
    equal((await publications.one()).length, text.length);
    const wide = "海".repeat((LIMIT - 200) / 3);
    await sub.publish(world.pack(wide));
    ok((await publications.one()) === wide, "text of three bytes a letter came otherwise");
    const tooLarge = sub.publish(world.pack("x".repeat(LIMIT)));
    if (world.transport !== "websocket") {
      // The request is refused with 413, which the client does not look at.
      await refused(tooLarge, 1);
      equal(client.state, "connected");
      return;
    }
    tooLarge.catch(() => {});
    const disconnected = next(client, "disconnected");
    has(await disconnected, { code: 3, reason: "message size limit exceeded" });
  },

  "commands in a batch are all carried out": async (world) => {
    const [client] = await world.connected();
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const publications = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    client.startBatching();
    const published = Array.from({ length: 100 }, (_, n) => sub.publish(world.pack(n)));
    const [denied, counted] = [refused(client.publish(world.channel("nowhere"), world.pack(1)), 102), sub.presenceStats()];
    client.stopBatching();
    await Promise.all([...published, denied]);
    equal((await counted).numClients, 1);
    equal(await publications.take(100), Array.from({ length: 100 }, (_, n) => n));
  },

  "the backend changes, tags and refuses publications": async (world) => {
    const [client] = await world.connected({ user: "ann" });
    const channel = world.channel("hooked");
    const [sub] = await subscribed(client, channel);
    const publications = new Inbox(sub, "publication");
    const asked = (reply) => world.pack({ backend: { reply } });
    await sub.publish(asked({ result: { data: { changed: true }, tags: { lang: "de" } } }));
    const changed = await publications.one();
    equal(world.unpack(changed.data), { changed: true });
    equal(changed.tags, { lang: "de" });
    await refused(sub.publish(asked({ error: { code: 1001, message: "rude" } })), 1001);
    await refused(sub.publish(world.pack({ backend: { status: 500 } })), 100);
    await sub.publish(asked({ result: { skip_history: true } }));
    has(await publications.one(), { offset: undefined });
    equal((await sub.history({ limit: -1 })).publications.length, 1);
    const disconnected = next(client, "disconnected");
    sub.publish(asked({ disconnect: { code: 4700, reason: "rude again" } })).catch(() => {});
    has(await disconnected, { code: 4700 });
  },
};

export const protobufCases = {
  "bytes come as they were, and to JSON clients in base64": async (world) => {
    const [client] = await world.connected();
    const channel = world.channel("chat");
    const [sub] = await subscribed(client, channel);
    const [jsonSub] = await subscribed((await world.connected({ encoding: "json" }))[0], channel);
    const [inbox, jsonInbox] = [sub, jsonSub].map((it) => new Inbox(it, "publication", ({ data }) => data));
    const bytes = Uint8Array.from({ length: 512 }, (_, n) => n % 256);
    await sub.publish(bytes);
    equal(await inbox.one(), bytes);
    equal(await jsonInbox.one(), btoa(String.fromCharCode(...bytes)));
    const text = new TextEncoder().encode("no JSON: é\n");
    await sub.publish(text);
    equal(await inbox.one(), text);
    equal(await jsonInbox.one(), "no JSON: é\n");
    await sub.publish(world.pack({ a: ["JSON"] }));
    equal(world.unpack(await inbox.one()), { a: ["JSON"] });
    equal(await jsonInbox.one(), { a: ["JSON"] });
    await jsonSub.publish({ from: "JSON" });
    equal(world.unpack(await inbox.one()), { from: "JSON" });
    equal(await jsonInbox.one(), { from: "JSON" });
    const { publications } = await jsonSub.history({ limit: -1 });
    equal(publications.map(({ data }) => data), [btoa(String.fromCharCode(...bytes)), "no JSON: é\n", { a: ["JSON"] }, { from: "JSON" }]);
  },
};
