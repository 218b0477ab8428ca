// One way through one intermediary: what is published at the server has to come, soon, after a silence, and in order.
import { setTimeout as sleep } from "node:timers/promises";

import { Route } from "./route.mjs";

const MESSAGES = 200;
/** How long a message may take once others can come, in milliseconds: the machine may be busy. */
const PATIENCE = 15_000;

let channels = 0;

/**
 * Tries it: `open` is the transport's, `route` what `Route` takes. `publish(channel, data)` publishes at the server; `silence` and `limit` are milliseconds.
 *
 * Gives `{opened, first}`, how long it took until the subscription and from there to the first message, or with `wrong` at which
 * step it ended, and how.
 */
export async function probe(open, route, { publish, silence, limit }) {
  const way = new Route(route);
  const channel = `c${(channels += 1)}`;
  const outcome = {};
  let [step, feed] = ["open", null];
  const heard = async (n, ms = PATIENCE) => {
    const data = await feed.inbox.next(ms);
    if (data.n !== n) throw new Error(`message ${data.n} came where ${n} was due`);
  };
  try {
    let begun = performance.now();
    feed = await within(limit, open(way, channel, limit));
    outcome.opened = performance.now() - begun;
    step = "first message";
    begun = performance.now();
    await publish(channel, { n: 0 });
    await heard(0, limit);
    outcome.first = performance.now() - begun;
    step = `message after ${silence / 1000} s`;
    await sleep(silence);
    await publish(channel, { n: 1 });
    await heard(1);
    step = `${MESSAGES} messages`;
    for (let n = 2; n < 2 + MESSAGES; n += 1) await publish(channel, { n });
    for (let n = 2; n < 2 + MESSAGES; n += 1) await heard(n);
  } catch (error) {
    outcome.wrong = `${step}: ${error.message}`;
  } finally {
    feed?.end();
    way.end();
  }
  return outcome;
}

/** What `promise` gives, if it does so in time. */
async function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
    promise.catch(() => {});
  }
}
