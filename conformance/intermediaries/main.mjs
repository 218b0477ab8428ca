// Every transport through every intermediary: node conformance/intermediaries/main.mjs quick|full [WORDS...]
//
//   quick   silences of 1.4 s
//   full    silences of 7 s, so that what happens to idle connections after 5 s is seen
//   WORDS   only cells whose names (`nginx, Upgrade: sse`) have one of them
//
// Nothing is built or installed here. ANTIPHON_BIN is the server's binary (default target/debug/antiphon), ANTIPHON_CLIENT the
// module of our client (default web/packages/client/dist/index.js), and CLIENTS_DIR has `ws` for it. What is not there is skipped.
// The last line sums up: `N passed, N failed, N skipped`. Exit status 1 if anything failed.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Server } from "../clients/rig/server.mjs";
import { missing as clientMissing, probeClient } from "./client.mjs";
import { INTERMEDIARIES } from "./intermediaries.mjs";
import { probe } from "./probe.mjs";
import { certificate } from "./program.mjs";
import { expectations, judge, markdown } from "./table.mjs";
import { TRANSPORTS } from "./transports.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const BINARY = process.env.ANTIPHON_BIN ?? join(HERE, "../../target/debug/antiphon");
const SETS = {
  quick: { silence: 1400, limit: 3000, concurrency: 24 },
  full: { silence: 7000, limit: 8000, concurrency: 16 },
};
const KEY = "key of the intermediaries' tests";

const [set, ...words] = process.argv.slice(2);
const options = SETS[set];
if (!options) {
  console.error(`intermediaries: say ${Object.keys(SETS).join(" or ")}, not ${set ?? "nothing"}`);
  process.exit(2);
}

/** Publishes straight at the server. */
async function publish(channel, data) {
  const answer = await fetch(`http://127.0.0.1:${server.port}/api/publish`, {
    method: "POST",
    headers: { "X-API-Key": KEY },
    body: JSON.stringify({ channel, data }),
  });
  const { error } = await answer.json();
  if (error) throw new Error(`the API said ${error.code} ${error.message}`);
}

/** Our client comes last: it chooses among the others. */
const COLUMNS = [...Object.keys(TRANSPORTS), "client"];
const noClient = clientMissing();
const isWanted = (cell) => !words.length || words.some((word) => cell.includes(word));
const wanted = Object.keys(INTERMEDIARIES).flatMap((name) =>
  COLUMNS.map((transport) => ({ name, transport })).filter(({ transport }) => isWanted(`${name}: ${transport}`)),
);

const expected = await expectations(join(HERE, "expected.txt"));
const certificates = await mkdtemp(join(tmpdir(), "antiphon-certificates-"));
const server = new Server(BINARY, join(HERE, "config/antiphon.toml"), {});
const counts = { passed: 0, failed: 0, skipped: 0 };
const table = new Map();
const opened = new Map();

/** Probes one cell, and enters it. */
async function play({ name, transport }) {
  const { route, missing } = opened.get(name);
  const isClient = transport === "client";
  if (TRANSPORTS[transport]?.isH2Only && !route?.h2 && !missing) return;
  const row = table.get(name);
  if (missing || (isClient && noClient)) {
    counts.skipped += 1;
    row.set(transport, "skipped");
    return;
  }
  const given = { publish, ...options };
  const outcome = await (isClient ? probeClient(route, given) : probe(TRANSPORTS[transport].open, route, given));
  const wrong = judge(expected, name, transport, outcome);
  const took = `${Math.ceil(outcome.opened)} + ${Math.ceil(outcome.first)} ms`;
  const works = isClient ? `${[...new Set(outcome.transports)].join(", ")} ${took}` : took;
  row.set(transport, outcome.wrong ? (wrong ? "FAILED" : "no") : works);
  counts[wrong ? "failed" : "passed"] += 1;
  if (wrong) console.log(`FAILED ${name}: ${transport}\n       ${wrong}`);
  else if (words.length && outcome.wrong) console.log(`as expected, ${name}: ${transport}: ${outcome.wrong}`);
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => {
    server.close();
    process.exit(1);
  });
}
try {
  await Promise.all([certificate(certificates), server.start()]);
  const names = [...new Set(wanted.map(({ name }) => name))];
  const start = async (name) => {
    const it = await INTERMEDIARIES[name].start({ server: server.port, certificates, ...options });
    if (it.missing) console.log(`skipped ${name}: ${it.missing}`);
    opened.set(name, it);
  };
  await Promise.all(names.map(start));
  for (const name of names) table.set(name, new Map());
  const waiting = [...wanted];
  const work = async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) await play(cell);
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
} finally {
  await Promise.all([...opened.values()].map((it) => it.close?.()));
  server.close();
  await rm(certificates, { recursive: true, force: true });
}

if (noClient && counts.skipped) console.log(`skipped the client: ${noClient}`);
const columns = COLUMNS.filter((transport) => wanted.some((cell) => cell.transport === transport));
console.log(`\nUntil the subscription + from there until the first message:\n\n${markdown(columns, table)}\n`);
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(counts.failed ? 1 : 0);
