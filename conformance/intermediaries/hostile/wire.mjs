// The part of the hostile proxy that knows nothing of HTTP: what it does to the bytes of each connection.
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Listens on a free port before `target` (a port too), and gives `{port, close}`. Times are in milliseconds.
 *
 * - `idle`: a connection on which nothing came in either direction for so long is closed
 * - `life`: every connection is cut after so long
 * - `latency`: every byte comes so much later, in both directions
 * - `split`: every byte is a segment of its own
 */
export async function hostileWire(target, { idle, life, latency, split } = {}) {
  const sockets = new Set();
  const server = createServer((client) => {
    const upstream = connect(target, "127.0.0.1");
    const pair = [client, upstream];
    const cut = () => pair.forEach((socket) => socket.destroy());
    let [idling, living] = [null, life && setTimeout(cut, life)];
    const touch = () => {
      clearTimeout(idling);
      if (idle) idling = setTimeout(cut, idle);
    };
    const onClose = () => {
      [idling, living].forEach(clearTimeout);
      cut();
    };
    touch();
    for (const [from, to] of [pair, [upstream, client]]) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => {});
      from.on("close", () => sockets.delete(from));
      from.on("close", latency ? () => setTimeout(onClose, latency) : onClose);
      pass(from, to, { latency, split, touch });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Passes everything on in its order. */
async function pass(from, to, { latency = 0, split, touch }) {
  let before = Promise.resolve();
  const later = (act) => {
    const due = latency ? sleep(latency) : Promise.resolve();
    before = before.then(() => due).then(act);
  };
  from.on("data", (bytes) => {
    touch();
    later(() => (split ? oneByOne(bytes, to) : to.write(bytes)));
  });
  from.on("end", () => later(() => to.end()));
}

async function oneByOne(bytes, to) {
  for (const [at, byte] of bytes.entries()) {
    if (to.destroyed) return;
    // The kernel takes it at once, without waiting for the next.
    to.write(Buffer.of(byte));
    if (at % 64 === 63) await new Promise(setImmediate);
  }
}
