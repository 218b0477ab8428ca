// The ways to hear of a channel, each as plain as a client may be: it subscribes, and takes what comes.
//
// A way is `open(route, channel)`: once it has subscribed it gives a feed, `{inbox, end}`, with the data of each publication.
// A connection that breaks is the end of the feed, except where the way is made of requests: there the next one follows.
import { setTimeout as sleep } from "node:timers/promises";

import { Socket } from "./frames.mjs";
import { Inbox, lines } from "./inbox.mjs";

/** `connect`, with a session. */
const CONNECT = { id: 1, connect: { ext: { session: 1 } } };
const JSON_TYPE = { "content-type": "application/json" };

/** So often in a row may a request fail before a way made of requests gives up. */
const FAILURES = 10;

const subscribe = (channel) => ({ id: 2, n: 1, subscribe: { channel } });

/** One conversation in the client protocol: sorts replies from publications. */
class Talk {
  inbox = new Inbox();
  #replies = new Inbox();

  /** Takes a line of JSON; true where it is a ping. */
  take(text) {
    if (!text.trim()) return false;
    this.takeReply(JSON.parse(text));
    return text.trim() === "{}";
  }

  takeReply(reply) {
    if (reply.id) this.#replies.push(reply);
    if (reply.push?.pub) this.inbox.push(reply.push.pub.data);
    if (reply.push?.disconnect) this.fail(`disconnected with ${reply.push.disconnect.code} ${reply.push.disconnect.reason}`);
  }

  fail(sentence) {
    this.inbox.fail(sentence);
    this.#replies.fail(sentence);
  }

  /** The result of the command that has been sent. */
  async result(ms) {
    const { id, error, ...result } = await this.#replies.next(ms);
    if (error) throw new Error(`command ${id} was answered with error ${error.code} ${error.message}`);
    return result;
  }
}

const websocket = (open) => async (route, channel, ms) => {
  const talk = new Talk();
  const { stream, head } = await open(route, "/connection/websocket");
  const take = (text) => {
    for (const line of text.split("\n")) if (talk.take(line)) socket.send("{}");
  };
  const socket = new Socket(stream, head, take, (sentence) => talk.fail(sentence));
  const end = () => socket.end();
  return ended(end, async () => {
    socket.send(JSON.stringify(CONNECT));
    await talk.result(ms);
    socket.send(JSON.stringify(subscribe(channel)));
    await talk.result(ms);
    return { inbox: talk.inbox, end };
  });
};

const raw = (open) => async (route, channel) => {
  const inbox = new Inbox();
  const { stream, head } = await open(route, `/raw/${channel}`);
  const socket = new Socket(stream, head, (text) => inbox.push(JSON.parse(text)), (sentence) => inbox.fail(sentence));
  return { inbox, end: () => socket.end() };
};

/** Downlink in one response without end; uplink with `/emulation`. `take` is made for the bytes of the response. */
const emulated = (first, take) => async (route, channel, ms) => {
  const talk = new Talk();
  const pong = () => uplink([{}]).catch(() => {});
  const { body } = await ok(await route.request(first()));
  follow(body, take((text) => talk.take(text) && pong()), (sentence) => talk.fail(sentence));
  let known = null;
  const uplink = async (commands) => {
    const data = commands.map((command) => JSON.stringify(command)).join("\n");
    const message = { method: "POST", path: "/emulation", headers: JSON_TYPE, body: JSON.stringify({ ...known, data }) };
    (await ok(await route.request(message))).body.resume();
  };
  const end = () => body.destroy();
  return ended(end, async () => {
    const { connect } = await talk.result(ms);
    known = { session: connect.session, node: connect.node };
    await uplink([subscribe(channel)]);
    await talk.result(ms);
    return { inbox: talk.inbox, end };
  });
};

const httpStream = emulated(
  () => ({ method: "POST", path: "/connection/http_stream", headers: JSON_TYPE, body: JSON.stringify(CONNECT) }),
  lines,
);

const sse = emulated(
  () => ({ path: `/connection/sse?cf_connect=${encodeURIComponent(JSON.stringify(CONNECT))}`, headers: { accept: "text/event-stream" } }),
  (take) => events(({ data }) => data && take(data)),
);

async function poll(route, channel, ms) {
  const talk = new Talk();
  let [session, ack, isOpen] = [null, 0, true];
  const ask = async (message) => {
    const request = { method: "POST", path: "/connection/poll", headers: JSON_TYPE, body: JSON.stringify(message) };
    const answer = JSON.parse(await whole((await ok(await route.request(request))).body));
    if (session === null) {
      const [{ error, connect } = {}, ...rest] = answer.replies;
      if (!connect) throw new Error(`the first poll was answered with ${JSON.stringify(error ?? rest)}`);
      session = connect.session;
      return;
    }
    // What came before the last `ack` comes again where an answer was lost on its way.
    for (const reply of answer.replies.slice(Math.max(0, ack - answer.seq))) talk.takeReply(reply);
    ack = Math.max(ack, answer.seq + answer.replies.length);
  };
  await ask({ commands: [CONNECT] });
  await ask({ session, ack, commands: [subscribe(channel)] });
  await talk.result(ms);
  const go = async () => {
    for (let failures = 0; isOpen && failures < FAILURES; ) {
      try {
        await ask({ session, ack, commands: [] });
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === FAILURES) talk.fail(error.message);
        await sleep(20);
      }
    }
  };
  go();
  return { inbox: talk.inbox, end: () => (isOpen = false) };
}

/** `/events`, as a browser's EventSource reads it: it comes back, and says which event was the last. */
async function eventSource(route, channel) {
  const inbox = new Inbox();
  let [last, body, isOpen, failures] = ["", null, true, 0];
  const open = async () => {
    const headers = { accept: "text/event-stream", ...(last && { "last-event-id": last }) };
    ({ body } = await ok(await route.request({ path: `/events?channel=${channel}`, headers })));
    const take = events(({ data, id }) => {
      last = id ?? last;
      failures = 0;
      if (data) inbox.push(JSON.parse(data));
    });
    follow(body, take, again);
  };
  const again = async (sentence) => {
    failures += 1;
    if (!isOpen || failures === FAILURES) return inbox.fail(sentence);
    await sleep(20);
    open().catch((error) => again(error.message));
  };
  await open();
  return {
    inbox,
    end() {
      isOpen = false;
      body.destroy();
    },
  };
}

/** Every way, by name. Those of HTTP/2 are for routes that speak it. */
export const TRANSPORTS = {
  websocket: { open: websocket((route, path) => route.upgrade(path)) },
  "websocket h2": { open: websocket((route, path) => route.connect(path)), isH2Only: true },
  http_stream: { open: httpStream },
  sse: { open: sse },
  poll: { open: poll },
  events: { open: eventSource },
  raw: { open: raw((route, path) => route.upgrade(path)) },
};

/** Gives the bytes of a response to `take`, and says at its end why it ended. */
function follow(body, take, onEnd) {
  let hasEnded = false;
  const end = (sentence) => {
    if (!hasEnded) onEnd(sentence);
    hasEnded = true;
  };
  body.on("data", (bytes) => {
    try {
      take(bytes);
    } catch (error) {
      end(`what came cannot be read: ${error.message}`);
    }
  });
  body.on("end", () => end("the response ended"));
  body.on("error", (error) => end(`the response broke: ${error.code ?? error.message}`));
  body.on("close", () => end("the response was cut"));
}

/** Reads Server-Sent Events, and gives each as `{data, id}`. */
function events(take) {
  let event = {};
  return lines((line) => {
    const [, field, value] = /^([^:]*):? ?(.*?)\r?$/.exec(line);
    if (field === "data") event.data = event.data === undefined ? value : `${event.data}\n${value}`;
    if (field === "id") event.id = value;
    if (field || value) return;
    take(event);
    event = {};
  });
}

async function whole(body) {
  const parts = [];
  for await (const part of body) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function ok(response) {
  if (response.status < 300) return response;
  const said = await whole(response.body).catch(() => "");
  throw new Error(`the answer was ${response.status}${said.length < 200 ? ` ${said.trim()}` : ""}`);
}

/** What `act` gives; where it fails, `end` comes first. */
async function ended(end, act) {
  try {
    return await act();
  } catch (error) {
    end();
    throw error;
  }
}
