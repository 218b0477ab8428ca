// The server ends, and another takes its place.
import { equal, has } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { subscribed } from "./world.mjs";

/** Clients that come back: what they see of one restart. */
async function restarted(world, signal) {
  const name = world.own("server");
  const members = await Promise.all(Array.from({ length: 5 }, async (_, n) => {
    const [client] = await world.connected({ server: name, config: "main", user: `u${n}` });
    const [sub] = await subscribed(client, `recovery:${world.line}`);
    return { client, sub, inbox: new Inbox(sub, "publication", ({ data }) => world.unpack(data)) };
  }));
  await members[0].sub.publish(world.pack("before"));
  for (const { inbox } of members) equal(await inbox.one(), "before");
  const ends = members.map(({ client }) => next(client, "connecting"));
  const returns = members.map(({ sub }) => next(sub, "subscribed"));
  const { status } = await world.rig("restart", { name, signal });
  const events = await Promise.all(returns);
  await members[1].sub.publish(world.pack("after"));
  for (const { inbox } of members) equal(await inbox.one(), "after");
  return { status, codes: (await Promise.all(ends)).map(({ code }) => code), events };
}

export const cases = {
  "clients are told to come back": async (world) => {
    const { status, codes, events } = await restarted(world, "SIGTERM");
    equal(status, 0, "the exit status");
    equal(codes, [3001, 3001, 3001, 3001, 3001]);
    // What was published is gone with the memory of the server, and the clients are told.
    for (const event of events) has(event, { wasRecovering: true, recovered: false });
  },

  "clients come back after a crash": async (world) => {
    const { codes, events } = await restarted(world, "SIGKILL");
    equal(codes, [1, 1, 1, 1, 1]);
    for (const event of events) has(event, { wasRecovering: true, recovered: false });
  },
};
