// Publications chosen by their tags.
import { equal, has } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { subscribed, unsubscribed } from "./world.mjs";

const is = (key, cmp, value) => ({ key, cmp, ...(Array.isArray(value) ? { vals: value } : { val: value }) });
const goals = is("event", "eq", "goal");

export const cases = {
  "only what passes comes": async (world) => {
    const channel = world.channel("tagged");
    const [publisher] = await world.connected({ user: "writer" });
    const filters = [
      [null, [1, 2, 3, 4, 5]],
      [goals, [1, 3]],
      [is("event", "neq", "goal"), [2, 4, 5]],
      [is("event", "in", ["card", "goal"]), [1, 2, 3]],
      [is("minute", "gte", "45"), [3, 4]],
      [is("minute", "ex"), [1, 2, 3, 4]],
      [is("event", "sw", "g"), [1, 3]],
      [{ op: "and", nodes: [goals, { op: "not", nodes: [is("minute", "lt", "45")] }] }, [3]],
      [{ op: "or", nodes: [is("event", "eq", "end"), is("event", "ct", "ar")] }, [2, 4]],
    ];
    const inboxes = await Promise.all(filters.map(async ([tagsFilter]) => {
      const [sub] = await subscribed((await world.connected())[0], channel, { tagsFilter });
      return new Inbox(sub, "publication", ({ data }) => world.unpack(data).n);
    }));
    const [all] = await subscribed(publisher, channel);
    const last = new Inbox(all, "publication");
    for (const [n, tags] of [
      [1, { event: "goal", minute: "9" }], [2, { event: "card", minute: "30" }], [3, { event: "goal", minute: "88" }],
      [4, { event: "end", minute: "90" }], [5, {}],
    ]) await publisher.publish(channel, world.pack({ n, tags }));
    await last.take(5);
    for (const [n, [filter, expected]] of filters.entries()) {
      equal(await inboxes[n].take(expected.length), expected, JSON.stringify(filter));
    }
    await Promise.all(inboxes.map(async (inbox, n) => equal(inbox.rest(), [], JSON.stringify(filters[n][0]))));
  },

  "what was missed is chosen as well": async (world) => {
    const channel = world.channel("tagged");
    const [client] = await world.connected({ user: "reader" });
    const [publisher] = await world.connected({ user: "writer", line: `${world.line}-writer` });
    const [sub] = await subscribed(client, channel, { tagsFilter: goals });
    const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data).n);
    const publish = (n, event) => publisher.publish(channel, world.pack({ n, tags: { event } }));
    await publish(1, "goal");
    await publish(2, "card");
    equal(await inbox.one(), 1);
    const gone = next(client, "connecting");
    await world.rig("block", { line: world.line, on: true });
    await gone;
    for (const [n, event] of [[3, "card"], [4, "goal"], [5, "card"]]) await publish(n, event);
    const back = next(sub, "subscribed");
    await world.rig("block", { line: world.line, on: false });
    has(await back, { recovered: true });
    await publish(6, "goal");
    equal(await inbox.take(2), [4, 6]);
  },

  "a filter that is none, or is not allowed, is refused": async (world) => {
    const [client] = await world.connected();
    for (const [namespace, tagsFilter] of [
      ["chat", goals], ["tagged", is("a", "like", "b")], ["tagged", { op: "xor", nodes: [goals] }], ["tagged", is("", "eq", "b")],
      ["tagged", { op: "and", nodes: [] }], ["tagged", { op: "not", nodes: [goals, goals] }],
    ]) {
      has(await unsubscribed(client, world.channel(namespace), { tagsFilter }), { code: 107 }, JSON.stringify(tagsFilter));
    }
    await subscribed(client, world.channel("tagged"), { tagsFilter: goals });
  },
};
