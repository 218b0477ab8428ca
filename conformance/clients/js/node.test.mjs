// The suite in Node, with `ws`.
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { startRig, wishes } from "./rig.mjs";
import { cases } from "./suite/all.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const installed = process.env.CLIENTS_DIR ?? join(here, "../../../target/conformance/clients");
const require = createRequire(join(installed, "package.json"));
const packages = {
  json: require("centrifuge").Centrifuge,
  protobuf: require("centrifuge/build/protobuf").Centrifuge,
  options: { websocket: require("ws") },
};
const rig = await startRig();

describe("node", { concurrency: 8, timeout: 300_000 }, () => {
  for (const encoding of ["json", "protobuf"]) {
    for (const { name, run } of cases(packages, rig.url, encoding, wishes)) it(`node, ${name}`, run);
  }
});
after(rig.end);
