// What has come and nobody has asked for yet.

/** A queue with one reader. Whoever waits longer than he wants to is told so. */
export class Inbox {
  #items = [];
  #fault = null;
  #waiting = null;

  push(item) {
    this.#items.push(item);
    this.#waiting?.();
  }

  /** Nothing more will come: `next` fails with this sentence once the queue is empty. */
  fail(sentence) {
    this.#fault ??= sentence;
    this.#waiting?.();
  }

  /** Takes what is next, within `ms`. */
  async next(ms) {
    if (!this.#items.length && this.#fault === null) {
      let timer;
      await new Promise((resolve) => {
        this.#waiting = resolve;
        timer = setTimeout(resolve, ms);
      });
      clearTimeout(timer);
      this.#waiting = null;
    }
    if (this.#items.length) return this.#items.shift();
    throw new Error(this.#fault ?? `nothing came in ${ms} ms`);
  }
}

/** Gives each line of a stream of text to `take`; what follows the last line break is kept for later. */
export function lines(take) {
  const decoder = new TextDecoder();
  let rest = "";
  return (bytes) => {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
    rest = parts.pop();
    for (const part of parts) take(part);
  };
}
