// The application behind the server: it answers hooks as the test asks it to, and keeps what it was asked.
//
// What a client sends may have, under `backend`, what it is answered with: `{reply}`, or `{status, delay}`. For the hooks that
// carry no data it stands in the connection's meta, under the hook's name.
import { setTimeout as sleep } from "node:timers/promises";

export class Backend {
  #asked = [];

  /** Answers one hook: its name and its question. */
  async answer(hook, question, headers) {
    const unpacked = unpack(question);
    this.#asked.push({ hook, headers, ...question, data: unpacked });
    const wish = unpacked?.backend ?? question.meta?.[hook] ?? {};
    if (wish.delay) await sleep(wish.delay);
    if (wish.status) return { status: wish.status, body: "no" };
    return { status: 200, body: JSON.stringify(wish.reply ?? DEFAULTS[hook]?.(question, unpacked) ?? { result: {} }) };
  }

  /** Takes a batch of events. */
  take(batch) {
    for (const event of batch.events ?? []) this.#asked.push({ hook: "event", ...event });
  }

  /** What it was asked, as far as it has these fields. */
  asked(fields) {
    const has = (question) => Object.entries(fields).every(([name, value]) => question[name] === value);
    return this.#asked.filter(has);
  }
}

const DEFAULTS = {
  rpc: (question) => ({ result: question.b64data ? { b64data: question.b64data } : { data: question.data ?? null } }),
  publish: (_, data) => ({ result: data?.tags ? { tags: data.tags } : {} }),
};

function unpack({ data, b64data }) {
  if (b64data === undefined) return data;
  try {
    return JSON.parse(Buffer.from(b64data, "base64").toString());
  } catch {
    return b64data;
  }
}
