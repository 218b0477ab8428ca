// Publications as differences to those before them.
import { equal, has, ok } from "./check.mjs";
import { Inbox, next } from "./events.mjs";
import { subscribed } from "./world.mjs";

const document = (n) => ({ n, title: "Une histoire très longue 長い物語", text: "lorem ipsum ".repeat(40), tail: [n % 7, "ß"] });

async function pair(world, options) {
  const channel = world.channel("delta");
  const [client] = await world.connected({ user: "reader" });
  const [publisher] = await world.connected({ user: "writer", line: `${world.line}-writer` });
  const [sub] = await subscribed(client, channel, options);
  const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
  return { channel, client, sub, inbox, publish: (value) => publisher.publish(channel, world.pack(value)) };
}

/** Random edits of a random text: the same for the same seed. */
function* edits(seed, count) {
  let state = seed;
  const below = (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const words = ["a", "é", "海", "👋", "word ", "\n", "\"", "\\", " ".repeat(20), "0123456789abcdef"];
  let text = words[4].repeat(60);
  for (let n = 0; n < count; n += 1) {
    const [from, length] = [below(text.length + 1), below(below(5) ? 8 : 200)];
    const put = Array.from({ length: below(6) }, () => words[below(words.length)]).join("");
    text = [...text].slice(0, from).concat(put, [...text].slice(from + length)).join("").slice(0, 4000);
    yield text;
  }
}

export const cases = {
  "all but the first come as differences": async (world) => {
    const { sub, inbox, publish } = await pair(world, { delta: "fossil" });
    const documents = Array.from({ length: 10 }, (_, n) => document(n));
    for (const value of documents) await publish(value);
    equal(await inbox.take(10), documents);
    const stats = sub.deltaStats();
    has(stats, { numPublications: 10, numFullPayloads: 1, numDeltaPayloads: 9 });
    ok(stats.bytesReceived * 4 < stats.bytesDecoded, `${stats.bytesReceived} bytes came for ${stats.bytesDecoded}`);
  },

  "who does not ask gets whole publications": async (world) => {
    const { channel, inbox, publish } = await pair(world, {});
    const [other] = await subscribed((await world.connected())[0], channel, { delta: "fossil" });
    const others = new Inbox(other, "publication", ({ data }) => world.unpack(data));
    for (let n = 0; n < 3; n += 1) await publish(document(n));
    for (const it of [inbox, others]) equal(await it.take(3), [0, 1, 2].map(document));
  },

  "where differences are not allowed whole publications come": async (world) => {
    const [client] = await world.connected();
    const [sub] = await subscribed(client, world.channel("recovery"), { delta: "fossil" });
    const inbox = new Inbox(sub, "publication", ({ data }) => world.unpack(data));
    for (let n = 0; n < 3; n += 1) await sub.publish(world.pack(document(n)));
    equal(await inbox.take(3), [0, 1, 2].map(document));
    has(sub.deltaStats(), { numDeltaPayloads: 0 });
  },

  "what was missed comes, and differences go on from there": async (world) => {
    const { client, sub, inbox, publish } = await pair(world, { delta: "fossil" });
    const documents = Array.from({ length: 12 }, (_, n) => document(n));
    for (const value of documents.slice(0, 3)) await publish(value);
    await inbox.take(3);
    for (const [from, to] of [[3, 6], [6, 6], [6, 7]]) {
      const gone = next(client, "connecting");
      await world.rig("block", { line: world.line, on: true });
      await gone;
      for (const value of documents.slice(from, to)) await publish(value);
      const back = next(sub, "subscribed");
      await world.rig("block", { line: world.line, on: false });
      has(await back, { recovered: true });
      equal(await inbox.take(to - from), documents.slice(from, to));
    }
    for (const value of documents.slice(7)) await publish(value);
    equal(await inbox.take(5), documents.slice(7));
    ok(sub.deltaStats().numDeltaPayloads >= 7, "differences come after a recovery as well");
  },

  "random edits come out right": async (world) => {
    const { inbox, publish } = await pair(world, { delta: "fossil" });
    const texts = [...edits(7, world.isLong ? 1500 : 200)];
    for (let n = 0; n < texts.length; n += 50) {
      await Promise.all(texts.slice(n, n + 50).map(publish));
    }
    const came = await inbox.take(texts.length);
    for (let n = 0; n < texts.length; n += 1) equal(came[n], texts[n], `text ${n}`);
  },
};

export const protobufCases = {
  "bytes come as differences, and to JSON clients as those of base64": async (world) => {
    const channel = world.channel("delta");
    const [publisher] = await world.connected({ user: "writer" });
    const [sub] = await subscribed((await world.connected())[0], channel, { delta: "fossil" });
    const inbox = new Inbox(sub, "publication", ({ data }) => data);
    const [jsonSub] = await subscribed((await world.connected({ encoding: "json" }))[0], channel, { delta: "fossil" });
    const jsonInbox = new Inbox(jsonSub, "publication", ({ data }) => data);
    const versions = Array.from({ length: 5 }, (_, n) => Uint8Array.from({ length: 3000 }, (_, k) => (k === n * 99 ? 7 : (k * k) % 251)));
    for (const bytes of versions) await publisher.publish(channel, bytes);
    for (const bytes of versions) {
      equal(await inbox.one(), bytes);
      equal(await jsonInbox.one(), btoa(String.fromCharCode(...bytes)));
    }
    has(sub.deltaStats(), { numDeltaPayloads: 4 });
  },
};
