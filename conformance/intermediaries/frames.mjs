// WebSocket frames, as a client writes and reads them, over any stream of bytes: messages whole, no extensions.
import { randomBytes } from "node:crypto";

const [TEXT, BINARY, CLOSE, PING, PONG] = [1, 2, 8, 9, 10];

/** A frame with its mask. */
export function frame(opcode, payload) {
  const length = payload.length;
  const head = length < 126 ? Buffer.from([0, 128 | length]) : Buffer.from([0, 128 | 126, length >> 8, length & 255]);
  head[0] = 128 | opcode;
  const mask = randomBytes(4);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at & 3])]);
}

/** A WebSocket on `stream`, which is open: `onMessage` gets text, `onEnd` once a sentence. */
export class Socket {
  #stream;
  #waiting = Buffer.alloc(0);
  #onMessage;
  #onEnd;

  constructor(stream, head, onMessage, onEnd) {
    this.#stream = stream;
    this.#onMessage = onMessage;
    let hasEnded = false;
    this.#onEnd = (sentence) => {
      if (!hasEnded) onEnd(sentence);
      hasEnded = true;
    };
    stream.on("data", (bytes) => this.#take(bytes));
    stream.on("error", (error) => this.#onEnd(`the WebSocket broke: ${error.code ?? error.message}`));
    stream.on("close", () => this.#onEnd("the WebSocket was cut"));
    stream.on("end", () => this.#onEnd("the WebSocket was cut"));
    if (head?.length) this.#take(head);
  }

  send(text) {
    this.#stream.write(frame(TEXT, Buffer.from(text)));
  }

  end() {
    this.#onEnd("it was closed here");
    this.#stream.destroy();
  }

  #take(bytes) {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    for (;;) {
      const waiting = this.#waiting;
      if (waiting.length < 2) return;
      const [opcode, short] = [waiting[0] & 15, waiting[1]];
      if (!(waiting[0] & 128) || waiting[0] & 112 || short > 127 || ![TEXT, BINARY, CLOSE, PING, PONG].includes(opcode)) {
        return this.#onEnd("what came on the WebSocket is no frame of a server");
      }
      const from = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (waiting.length < from) return;
      const length = short === 127 ? Number(waiting.readBigUInt64BE(2)) : short === 126 ? waiting.readUInt16BE(2) : short;
      if (waiting.length < from + length) return;
      this.#waiting = waiting.subarray(from + length);
      this.#frame(opcode, waiting.subarray(from, from + length));
    }
  }

  #frame(opcode, payload) {
    if (opcode === TEXT || opcode === BINARY) this.#onMessage(payload.toString());
    if (opcode === PING) this.#stream.write(frame(PONG, payload));
    if (opcode === CLOSE) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : "no code";
      this.#onEnd(`the WebSocket was closed with ${code} ${payload.subarray(2)}`);
    }
  }
}
