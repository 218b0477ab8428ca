// What clients and subscriptions say, as promises and lists.
import { Wrong } from "./check.mjs";

/** How long anything may take, in milliseconds. Nothing that works takes as long. */
const PATIENCE = 25_000;

/** A promise that fails in time, and says what was waited for. */
export function inTime(promise, what, patience = PATIENCE) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Wrong(`${typeof what === "function" ? what() : what} did not come within ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The next such event, or the next for which `fits` is true. */
export function next(emitter, event, fits = () => true) {
  const others = [];
  const came = new Promise((resolve) => {
    const listen = (context) => {
      if (!fits(context)) return others.push(context);
      emitter.removeListener(event, listen);
      resolve(context);
    };
    emitter.on(event, listen);
  });
  return inTime(came, () => `an event "${event}"${others.length ? ` that fits (but ${JSON.stringify(others)})` : ""}`);
}

/** All events of a kind, from now on, as `read` makes them. */
export class Inbox {
  #came = [];
  #taken = 0;
  #wake = () => {};

  constructor(emitter, event, read = (context) => context) {
    this.event = event;
    emitter.on(event, (context) => {
      this.#came.push(read(context));
      this.#wake();
    });
  }

  /** How many have come. */
  get count() {
    return this.#came.length;
  }

  /** The next `count`, when they have come. */
  async take(count) {
    const enough = this.#taken + count;
    while (this.#came.length < enough) {
      const more = new Promise((resolve) => { this.#wake = resolve; });
      const seen = () => JSON.stringify(this.#came.slice(this.#taken).slice(-20)).slice(-400);
      await inTime(more, () => `${count} events "${this.event}" (but ${count - enough + this.#came.length}, last ${seen()})`);
    }
    this.#taken = enough;
    return this.#came.slice(enough - count, enough);
  }

  async one() {
    return (await this.take(1))[0];
  }

  /** What has come and was not taken. */
  rest() {
    const rest = this.#came.slice(this.#taken);
    this.#taken = this.#came.length;
    return rest;
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until `look` gives something. */
export async function until(look, what, patience = PATIENCE) {
  let found;
  const search = (async () => {
    while (!(found = await look())) await sleep(20);
  })();
  await inTime(search, what, patience);
  return found;
}
