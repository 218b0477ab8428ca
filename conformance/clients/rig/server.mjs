// The server under test, behind a relay.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { Relay } from "./relay.mjs";

const START_MS = 10_000;

export class Server {
  #command;
  #environment;
  #process = null;
  #ended = null;
  relay = new Relay();
  port = 0;
  relayPort = 0;

  /** `binary` is antiphon's, `config` a TOML file, `environment` what is laid over it. */
  constructor(binary, config, environment) {
    this.#command = [binary, "serve", "--config", config, "--listen", "127.0.0.1:0", "--workers", "2", "--log", "warn"];
    this.#environment = environment;
  }

  async start() {
    if (!this.relayPort) this.relayPort = await this.relay.listen();
    const [binary, ...words] = this.#command;
    const environment = { ...process.env, ...this.#environment };
    this.#process = spawn(binary, words, { stdio: ["ignore", "pipe", "pipe"], env: environment });
    this.#ended = once(this.#process, "exit");
    this.#ended.catch(() => {});
    const said = [];
    const [lines, complaints] = [this.#process.stdout, this.#process.stderr].map((input) => createInterface({ input }));
    this.port = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`the server does not listen: ${said.join("; ")}`)), START_MS);
      this.#process.once("error", reject);
      complaints.on("line", (line) => {
        said.push(line);
        if (process.env.RIG_LOG) console.error(line);
      });
      lines.on("line", (line) => {
        const port = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)?.[1];
        if (port) {
          clearTimeout(timer);
          resolve(Number(port));
        }
      });
      complaints.once("close", () => reject(new Error(`the server ended: ${said.join("; ")}`)));
    }).catch((error) => {
      // Nobody else ends what never listened.
      this.close();
      throw error;
    });
    this.relay.target = this.port;
  }

  /** Ends it with a signal, and gives its exit status: a number, or the signal that killed it. */
  async stop(signal) {
    this.#process.kill(signal);
    const [code, killed] = await this.#ended;
    this.relay.target = null;
    return code ?? killed;
  }

  close() {
    this.#process?.kill("SIGKILL");
    this.relay.close();
  }
}
