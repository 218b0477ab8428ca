// Who is in a channel, and who joins and leaves.
import { equal, has, refused } from "./check.mjs";
import { Inbox, next, until } from "./events.mjs";
import { subscribed } from "./world.mjs";

/** Waits until the channel has so many clients and users: a connection's end takes its time to be seen. */
async function settled(sub, clients, users) {
  await until(async () => {
    const { numClients, numUsers } = await sub.presenceStats();
    return numClients === clients && numUsers === users;
  }, `${clients} clients of ${users} users`);
}

export const cases = {
  "tabs of one user are clients of one user": async (world) => {
    const channel = world.channel("chat");
    const tabs = [];
    for (const user of ["ann", "ann", "ann", "bob"]) {
      const [client, { client: id }] = await world.connected({ user });
      tabs.push({ client, id, user, sub: (await subscribed(client, channel))[0] });
    }
    const [first, , third, bob] = tabs;
    const { clients } = await first.sub.presence();
    equal(Object.keys(clients).sort(), tabs.map(({ id }) => id).sort());
    for (const { id, user } of tabs) has(clients[id], { client: id, user });
    has(await first.sub.presenceStats(), { numClients: 4, numUsers: 2 });
    tabs[1].sub.unsubscribe();
    await settled(first.sub, 3, 2);
    third.client.disconnect();
    await settled(first.sub, 2, 2);
    bob.client.disconnect();
    await settled(first.sub, 1, 1);
    const back = next(tabs[1].sub, "subscribed");
    tabs[1].sub.subscribe();
    await back;
    await settled(first.sub, 2, 1);
  },

  "the anonymous are one user": async (world) => {
    const channel = world.channel("chat");
    const lobby = world.channel("lobby");
    const subs = [];
    for (let n = 0; n < 3; n += 1) subs.push((await subscribed((await world.connected({ user: null }))[0], lobby))[0]);
    const [watcher] = await subscribed((await world.connected({ user: "ann" }))[0], lobby);
    has(await watcher.presenceStats(), { numClients: 4, numUsers: 2 });
    await refused(subs[0].presence(), 103);
    equal(Object.values((await watcher.presence()).clients).filter(({ user }) => user === "").length, 3);
    const [client] = await world.connected({ user: "ann" });
    has(await client.presenceStats(channel), { numClients: 0, numUsers: 0 });
  },

  "who may not ask is told so": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("readonly"));
    await refused(sub.presence(), 103);
    await refused(sub.presenceStats(), 103);
    await refused(client.presence(world.channel("nowhere")), 102);
    const [without] = await subscribed(client, world.channel("recovery"));
    await refused(without.presence(), 108, "presence where there is none");
  },

  "joins and leaves come once each, in their order": async (world) => {
    const channel = world.channel("joins");
    const [watching, { client: own }] = await world.connected({ user: "watcher" });
    const events = [];
    const [sub] = await subscribed(watching, channel);
    for (const kind of ["join", "leave"]) sub.on(kind, ({ info }) => events.push([kind, info.user, info.client]));
    const ids = [];
    for (let n = 0; n < 3; n += 1) {
      const [client, { client: id }] = await world.connected({ user: "ann", line: `${world.line}-ann` });
      const joined = next(sub, "join", ({ info }) => info.client === id);
      const [other] = await subscribed(client, channel);
      await joined;
      ids.push(id);
      const left = next(sub, "leave", ({ info }) => info.client === id);
      if (n === 0) other.unsubscribe();
      if (n === 1) client.disconnect();
      if (n === 2) await world.rig("block", { line: `${world.line}-ann`, on: true });
      await left;
    }
    equal(
      events.filter(([, , client]) => client !== own),
      ids.flatMap((id) => [["join", "ann", id], ["leave", "ann", id]]),
    );
  },

  "joins and leaves come to those who ask": async (world) => {
    const channel = world.channel("chat");
    const [told] = await subscribed((await world.connected({ user: "a" }))[0], channel, { joinLeave: true });
    const [untold] = await subscribed((await world.connected({ user: "b" }))[0], channel);
    const unexpected = new Inbox(untold, "join");
    const joins = new Inbox(told, "join", ({ info }) => info.user);
    const leaves = new Inbox(told, "leave", ({ info }) => info.user);
    const [client] = await world.connected({ user: "c" });
    await subscribed(client, channel);
    client.disconnect();
    equal(await leaves.one(), "c");
    equal((await joins.take(1)).concat(joins.rest()).filter((user) => user === "c"), ["c"]);
    equal(unexpected.rest(), []);
  },
};
