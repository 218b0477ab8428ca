// What a client is given of what it missed.
import { equal, has, ok } from "./check.mjs";
import { Inbox, next, sleep, until } from "./events.mjs";
import { inSeconds, signed, subscribed, subscription } from "./world.mjs";

/** A subscriber whose connection can be cut, and a publisher whose cannot. */
async function pair(world, namespace, options = {}) {
  const channel = world.channel(namespace);
  const [client] = await world.connected({ user: "reader" });
  const [publisher] = await world.connected({ user: "writer", line: `${world.line}-writer` });
  const [sub, first] = await subscribed(client, channel, options);
  const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
  const publish = async (...values) => {
    for (const value of values) await publisher.publish(channel, world.pack(value));
  };
  return { channel, client, sub, first, inbox, publish };
}

/** Cuts the connection, does something while it is gone, and gives the event of the subscription's return. */
async function missing(world, { client, sub }, meanwhile) {
  const gone = next(client, "connecting");
  await world.rig("block", { line: world.line, on: true });
  has(await gone, { code: 1 }, "the end of the connection");
  await meanwhile();
  const back = next(sub, "subscribed");
  await world.rig("block", { line: world.line, on: false });
  return back;
}

export const cases = {
  "what was missed comes, in its order": async (world) => {
    const it = await pair(world, "recovery");
    has(it.first, { wasRecovering: false, recovered: false, recoverable: true, positioned: true });
    await it.publish(1, 2);
    equal(await it.inbox.take(2), [1, 2]);
    has(await missing(world, it, () => it.publish(3, 4, 5)), { wasRecovering: true, recovered: true });
    await it.publish(6);
    equal(await it.inbox.take(4), [3, 4, 5, 6]);
    has(await missing(world, it, async () => {}), { wasRecovering: true, recovered: true });
    await it.publish(7);
    equal(await it.inbox.one(), 7);
  },

  "what came while it was not subscribed comes": async (world) => {
    const it = await pair(world, "recovery");
    await it.publish(1);
    equal(await it.inbox.one(), 1);
    it.sub.unsubscribe();
    await it.publish(2, 3);
    const back = next(it.sub, "subscribed");
    it.sub.subscribe();
    has(await back, { wasRecovering: true, recovered: true });
    equal(await it.inbox.take(2), [2, 3]);
  },

  "clients may ask not to miss anything": async (world) => {
    const it = await pair(world, "chat", { recoverable: true, positioned: true });
    has(it.first, { recoverable: true, positioned: true });
    has(await missing(world, it, () => it.publish(1)), { wasRecovering: true, recovered: true });
    equal(await it.inbox.one(), 1);
    const without = await pair(world, "chat");
    has(without.first, { recoverable: false, positioned: false });
    has(await missing(world, without, () => without.publish(1)), { wasRecovering: false, recovered: false });
    await without.publish(2);
    equal(await without.inbox.one(), 2);
  },

  "where not all can be had nothing is": async (world) => {
    const it = await pair(world, "smallhistory");
    await it.publish(1);
    equal(await it.inbox.one(), 1);
    has(await missing(world, it, () => it.publish(2, 3, 4, 5)), { wasRecovering: true, recovered: false });
    await it.publish(6);
    equal(await it.inbox.one(), 6);
    has(await missing(world, it, () => it.publish(7, 8)), { wasRecovering: true, recovered: true });
    equal(await it.inbox.take(2), [7, 8]);
  },

  "a new subscriber goes on from a known position": async (world) => {
    const it = await pair(world, "recovery");
    await it.publish(1, 2, 3);
    await it.inbox.take(3);
    const { epoch } = await it.sub.history();
    for (const [since, recovered, expected] of [
      [{ offset: 1, epoch }, true, [2, 3]],
      [{ offset: 0, epoch: "" }, true, [1, 2, 3]],
      [{ offset: 3, epoch }, true, []],
      [{ offset: 2, epoch: "another" }, false, []],
      [{ offset: 9, epoch }, false, []],
    ]) {
      const [client] = await world.connected({ user: "other" });
      const sub = subscription(client, it.channel, { since });
      const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
      const event = next(sub, "subscribed");
      sub.subscribe();
      has(await event, { wasRecovering: true, recovered }, JSON.stringify(since));
      await sub.history();
      equal(inbox.rest(), expected, JSON.stringify(since));
    }
  },

  "a cache gives the newest, once": async (world) => {
    const it = await pair(world, "cache");
    has(it.first, { recovered: false });
    await it.publish(1, 2);
    await it.inbox.take(2);
    const [client] = await world.connected({ user: "other", line: `${world.line}-other` });
    const sub = subscription(client, it.channel);
    const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    const event = next(sub, "subscribed");
    sub.subscribe();
    has(await event, { recovered: true });
    equal(await inbox.one(), 2);
    has(await missing(world, it, () => it.publish(3, 4)), { wasRecovering: true, recovered: true });
    equal(await it.inbox.one(), 4);
    has(await missing(world, it, async () => {}), { wasRecovering: true, recovered: true });
    await it.publish(5);
    equal(await it.inbox.one(), 5);
    equal(await inbox.take(3), [3, 4, 5]);
  },

  "a positioned subscription tells where it is": async (world) => {
    const it = await pair(world, "positioned");
    has(it.first, { positioned: true, recoverable: false });
    equal(it.first.streamPosition.offset, 0);
    await it.publish(1, 2, 3);
    equal(await it.inbox.take(3), [1, 2, 3]);
    const [, event] = await subscribed((await world.connected())[0], it.channel);
    equal(event.streamPosition.offset, 3);
    ok(event.streamPosition.epoch, "there is an epoch");
  },

  "nothing is lost, repeated or out of order while connections break": async (world) => {
    const it = await pair(world, "recovery");
    const returns = new Inbox(it.sub, "subscribed");
    const wanted = world.isLong ? 100 : 10;
    let cuts = 0;
    const cutting = (async () => {
      for (; cuts < wanted; cuts += 1) {
        // Browsers wait before they connect again where they never got through: it is let in, and cut at any moment after.
        await until(() => it.client.state === "connected", "the connection");
        await sleep((cuts * 7) % 23);
        await world.rig("cut", { line: world.line });
      }
    })();
    let count = 0;
    while (cuts < wanted || count < 500) {
      await Promise.all(Array.from({ length: 20 }, () => it.publish(count++)));
      // The history holds no more than so many. Chromium may hold back each return for 5 s, and none between two cuts need get as far.
      await until(() => count - it.inbox.count < 5000, "the subscriber", wanted * 6000);
      await sleep(5);
    }
    await cutting;
    equal(await it.inbox.take(count), Array.from({ length: count }, (_, n) => n));
    for (const event of returns.rest()) has(event, { wasRecovering: true, recovered: true });
    await it.publish("last");
    equal(await it.inbox.one(), "last");
  },

  "channels of the server's are recovered with the connection": async (world) => {
    const channel = world.channel("recovery");
    const claims = { subs: { [channel]: {} }, exp: inSeconds(600) };
    const client = await world.client({ user: "ann", claims });
    const inbox = new Inbox(client, "publication", ({ channel: name, data }) => [name === channel, world.unpack(data)]);
    const first = next(client, "subscribed", (event) => event.channel === channel);
    client.connect();
    has(await first, { wasRecovering: false, recoverable: true });
    const [publisher] = await world.connected({ user: "writer", line: `${world.line}-writer` });
    const publish = (value) => publisher.publish(channel, world.pack(value));
    await publish(1);
    equal(await inbox.one(), [true, 1]);
    await world.rig("block", { line: world.line, on: true });
    await publish(2);
    await publish(3);
    const back = next(client, "subscribed", (event) => event.channel === channel);
    await world.rig("block", { line: world.line, on: false });
    has(await back, { wasRecovering: true, recovered: true });
    await publish(4);
    equal(await inbox.take(3), [[true, 2], [true, 3], [true, 4]]);
  },

  "tokens last over broken connections": async (world) => {
    let asked = 0;
    const getToken = async () => {
      asked += 1;
      return signed({ sub: "ann", exp: inSeconds(600) });
    };
    const client = await world.client({ user: null, getToken });
    for (let n = 0; n < 3; n += 1) {
      const connected = next(client, "connected");
      if (n === 0) client.connect();
      else await world.rig("cut", { line: world.line });
      await connected;
    }
    equal(asked, 1);
  },
};
