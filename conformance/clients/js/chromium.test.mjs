// The suite in Chromium: the same cases, in a page that the rig serves. $CHROMIUM names the browser.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { startRig, wishes } from "./rig.mjs";
import { WAYS } from "./suite/all.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const installed = process.env.CLIENTS_DIR ?? join(here, "../../../target/conformance/clients");
const { chromium } = createRequire(join(installed, "package.json"))("playwright-core");

/** Runs the cases of one transport and encoding in a page of their own. */
async function played(browser, url, way) {
  const page = await browser.newPage();
  const thrown = [];
  page.on("pageerror", (error) => thrown.push(error.message));
  await page.goto(`${url}/js/page.html`);
  await page.waitForFunction("window.runCases");
  const outcomes = await page.evaluate((options) => window.runCases(options), { way, concurrency: 8, ...wishes });
  await page.close();
  return [...outcomes, { name: `${Object.values(way).join(", ")}: nothing else is thrown`, wrong: thrown.join("; ") }];
}

const rig = await startRig();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-background-timer-throttling", "--disable-renderer-backgrounding"],
});
let outcomes;
try {
  // Chromium holds back the WebSockets of a browser whose openings fail, as those are meant to: not more of them than need be at a time.
  const play = async (ways) => (await Promise.all(ways.map((way) => played(browser, rig.url, way)))).flat();
  const isSocket = ({ transport }) => transport === "websocket";
  outcomes = [...(await play(WAYS.filter(isSocket))), ...(await play(WAYS.filter((way) => !isSocket(way))))];
} finally {
  await browser.close();
  await rig.end();
}
describe("chromium", () => {
  for (const { name, wrong } of outcomes) it(`chromium, ${name}`, () => assert.ok(!wrong, wrong));
});
