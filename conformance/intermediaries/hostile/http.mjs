// The part of the hostile proxy that reads HTTP: what it does to requests and responses. It is a reverse proxy, and for
// requests with a whole URL or with CONNECT a forward proxy to the same server.
import http from "node:http";
import { connect } from "node:net";

/**
 * Listens on a free port before `target` (a port too), and gives `{port, close}`.
 *
 * - `hold`: of each response so many bytes are held back until there are more, or until its end; Infinity until its end
 * - `upgrade`: what becomes of a request for a WebSocket: pass (default); strip: it goes on without Upgrade; garbage: a 101 with
 *   nonsense behind it; hang: no answer; or a status to answer with
 * - `tunnel`: false refuses CONNECT with 403
 */
export async function hostileHttp(target, { hold = 0, upgrade = "pass", tunnel = true } = {}) {
  const sockets = new Set();
  const upstream = new http.Agent({ keepAlive: true });
  const forward = (request, headers) => {
    const path = request.url.replace(/^http:\/\/[^/]*/, "");
    return http.request({ host: "127.0.0.1", port: target, method: request.method, path, headers, agent: upstream });
  };

  const server = http.createServer((request, response) => {
    const { upgrade: _, "proxy-connection": __, ...headers } = request.headers;
    const asked = forward(request, { ...headers, connection: "keep-alive" });
    asked.on("response", (answer) => {
      const { connection, "keep-alive": kept, "transfer-encoding": coding, ...rest } = answer.headers;
      const begin = () => response.headersSent || response.writeHead(answer.statusCode, rest).flushHeaders();
      let held = [];
      let size = 0;
      answer.on("data", (bytes) => {
        held.push(bytes);
        size += bytes.length;
        if (size <= hold) return;
        begin();
        response.write(Buffer.concat(held));
        // From here on everything passes, or where there are limits, nothing until the next lot is full.
        held = [];
        size = 0;
      });
      answer.on("end", () => {
        begin();
        response.end(Buffer.concat(held));
      });
      answer.on("error", () => response.destroy());
      if (!hold) begin();
    });
    asked.on("error", () => response.destroy());
    response.on("close", () => asked.destroy());
    request.on("error", () => asked.destroy());
    request.pipe(asked);
  });

  server.on("upgrade", (request, socket, head) => {
    if (upgrade === "hang") return;
    if (upgrade === "garbage") {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
      socket.write(`Sec-WebSocket-Accept: ${request.headers["sec-websocket-key"]}\r\n\r\n<html>\0\xff\xfe garbage ${"?".repeat(200)}`);
      return;
    }
    if (typeof upgrade === "number") {
      const body = "<h1>This page is looked after by your company</h1>";
      socket.end(`HTTP/1.1 ${upgrade} Said\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      return;
    }
    const headers = { ...request.headers };
    if (upgrade === "strip") {
      delete headers.upgrade;
      headers.connection = "close";
    }
    const asked = forward(request, headers);
    asked.on("upgrade", (answer, behind, first) => {
      answerHead(socket, answer);
      for (const [from, to] of [[socket, behind], [behind, socket]]) join(from, to);
      socket.write(first);
      behind.write(head);
    });
    asked.on("response", (answer) => {
      answerHead(socket, answer, { connection: "close" });
      answer.pipe(socket);
    });
    asked.on("error", () => socket.destroy());
    asked.end();
  });

  server.on("connect", (request, socket, head) => {
    if (!tunnel) return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    const behind = connect(target, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      behind.write(head);
    });
    for (const [from, to] of [[socket, behind], [behind, socket]]) join(from, to);
  });

  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: server.address().port,
    close() {
      server.close();
      upstream.destroy();
      for (const socket of sockets) socket.destroy();
    },
  };
}

function join(from, to) {
  from.setNoDelay?.(true);
  from.on("error", () => {});
  from.on("close", () => to.destroy());
  from.pipe(to);
}

function answerHead(socket, answer, more = {}) {
  const { "transfer-encoding": coding, ...headers } = { ...answer.headers, ...more };
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}\r\n${fields.join("")}\r\n`);
}
