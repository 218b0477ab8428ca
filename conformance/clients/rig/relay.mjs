// A TCP relay between clients and a server, so that a test can break, hold back and refuse its own connections.
//
// A client names its line in the URL it asks for, `?line=NAME`. The relay's port stays when the server behind it changes.
import { createServer, connect } from "node:net";

/** The connections of one name. */
class Line {
  sockets = new Set();
  isBlocked = false;
  isFrozen = false;
  /** What has been connected so far. */
  count = 0;

  cut() {
    for (const socket of this.sockets) socket.destroy();
  }

  freeze(isFrozen) {
    this.isFrozen = isFrozen;
    for (const socket of this.sockets) {
      if (isFrozen) socket.pause();
      else socket.resume();
    }
  }
}

export class Relay {
  #lines = new Map();
  #server = createServer((client) => this.#accept(client));
  /** Where connections go to: a port, or nowhere while there is no server. */
  target = null;

  /** Listens on a free port, and gives it. */
  async listen() {
    await new Promise((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this.#server.address().port;
  }

  line(name) {
    if (!this.#lines.has(name)) this.#lines.set(name, new Line());
    return this.#lines.get(name);
  }

  #accept(client) {
    client.on("error", () => {});
    client.once("data", (head) => {
      const name = /[?&]line=([\w-]+)/.exec(head.toString("latin1"))?.[1] ?? "";
      const line = this.line(name);
      if (line.isBlocked || this.target === null) return client.destroy();
      line.count += 1;
      const server = connect(this.target, "127.0.0.1");
      server.setNoDelay(true);
      client.setNoDelay(true);
      const pair = [[client, server], [server, client]];
      for (const [from, to] of pair) {
        line.sockets.add(from);
        from.on("error", () => {});
        from.on("data", (bytes) => to.write(bytes));
        from.on("end", () => to.end());
        from.on("close", () => {
          line.sockets.delete(from);
          to.destroySoon();
        });
        if (line.isFrozen) from.pause();
      }
      server.write(head);
      client.resume();
    });
  }

  close() {
    this.#server.close();
    for (const line of this.#lines.values()) line.cut();
  }
}
