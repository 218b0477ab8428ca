// The suite in Node, with `ws` and `eventsource`.
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { startRig, wishes } from "./rig.mjs";
import { cases, WAYS } from "./suite/all.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const installed = process.env.CLIENTS_DIR ?? join(here, "../../../target/conformance/clients");
const require = createRequire(join(installed, "package.json"));
const { EventSource } = require("eventsource");

/** Each request has a connection of its own: a line's connections must not become another's. */
const alone = (url, init) => fetch(url, { ...init, headers: { ...init?.headers, connection: "close" } });

class AloneEventSource extends EventSource {
  constructor(url, init) {
    super(url, { ...init, fetch: alone });
  }
}

const packages = {
  json: require("centrifuge").Centrifuge,
  protobuf: require("centrifuge/build/protobuf").Centrifuge,
  options: { websocket: require("ws"), fetch: alone, eventsource: AloneEventSource },
};
const rig = await startRig();

describe("node", { concurrency: 8, timeout: 300_000 }, () => {
  for (const way of WAYS) {
    for (const { name, run } of cases(packages, rig.url, way, wishes)) it(`node, ${name}`, run);
  }
});
after(rig.end);
