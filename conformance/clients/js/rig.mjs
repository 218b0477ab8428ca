// Starts the rig for a test file.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Whether the run takes its time, and words of the names of the cases that are wanted, with commas between. */
export const wishes = {
  isLong: process.env.CLIENTS_LONG === "1",
  only: (process.env.CLIENTS_ONLY ?? "").split(",").filter(Boolean),
};

/** `{url, end}`: the rig's URL, and what ends it. */
export async function startRig() {
  const script = fileURLToPath(new URL("../rig/main.mjs", import.meta.url));
  const rig = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(rig, "exit");
  const [url] = await once(createInterface({ input: rig.stdout }), "line");
  return {
    url,
    async end() {
      rig.stdin.end();
      await ended;
    },
  };
}
