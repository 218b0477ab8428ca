// A proxy that is installed here, in a folder of its own and on a free port.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CONFIG = fileURLToPath(new URL("config/", import.meta.url));
const START_MS = 15_000;
/** How each is run in the foreground with the configuration at `{file}`, and what is tried to see whether it is there. */
const COMMANDS = {
  nginx: ["nginx", "-p", "{dir}", "-e", "{dir}/error.log", "-c", "{file}"],
  haproxy: ["haproxy", "-f", "{file}"],
  caddy: ["caddy", "run", "--adapter", "caddyfile", "--config", "{file}"],
  squid: ["squid", "-N", "-f", "{file}"],
};
// They are installed for root.
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Those that run. None outlives this process. */
const running = new Set();
process.on("exit", () => running.forEach((program) => program.kill("SIGTERM")));

/** The program's path, or null where it is not installed. */
export async function installed(program) {
  const { stdout } = await promisify(execFile)("sh", ["-c", `command -v ${program} || true`], { env: { ...process.env, PATH } });
  return stdout.trim() || null;
}

/** A certificate for 127.0.0.1, as files in `dir`: cert.pem, key.pem, and both in both.pem. */
export async function certificate(dir) {
  const words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const files = ["-keyout", join(dir, "key.pem"), "-out", join(dir, "cert.pem")];
  await promisify(execFile)("openssl", [...words, ...files, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]);
  const parts = await Promise.all(["cert.pem", "key.pem"].map((name) => readFile(join(dir, name), "utf8")));
  await writeFile(join(dir, "both.pem"), parts.join(""));
}

/** Starts `name` on `config/{config}` before the server at the port `server`: `{port, close}`. */
export async function start(name, config, server, certificates) {
  const dir = await mkdtemp(join(tmpdir(), `antiphon-${name}-`));
  // Those that give up root have to get at their folder as well.
  await chmod(dir, 0o777);
  for (const file of ["cert.pem", "key.pem", "both.pem"]) await copyFile(join(certificates, file), join(dir, file));
  const port = await freePort();
  const known = { dir, port, server, file: join(dir, "config") };
  const fill = (text) => text.replace(/\{(dir|port|server|file)\}/g, (_, word) => known[word]);
  await writeFile(known.file, fill(await readFile(join(CONFIG, config), "utf8")));
  const [binary, ...words] = COMMANDS[name];
  const env = { ...process.env, PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir };
  const program = spawn(binary, words.map(fill), { cwd: dir, env, stdio: ["ignore", "pipe", "pipe"] });
  running.add(program);
  const ended = once(program, "exit").catch(() => {}).then(() => running.delete(program));
  let said = "";
  for (const output of [program.stdout, program.stderr]) output.on("data", (bytes) => (said = (said + bytes).slice(-2000)));
  const close = async () => {
    program.kill("SIGTERM");
    const isOver = await Promise.race([ended.then(() => true), sleep(2000, false, { ref: false })]);
    if (!isOver) program.kill("SIGKILL");
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await listening(port, program);
  } catch (error) {
    await close();
    throw new Error(`${name} with ${config} does not listen: ${error.message}\n${said}`);
  }
  return { port, close };
}

async function listening(port, program) {
  for (const end = Date.now() + START_MS; Date.now() < end; await sleep(50)) {
    if (program.exitCode !== null) throw new Error(`it ended with status ${program.exitCode}`);
    const socket = connect(port, "127.0.0.1");
    const isOpen = await once(socket, "connect").then(() => true, () => false);
    socket.destroy();
    if (isOpen) return;
  }
  throw new Error(`not in ${START_MS} ms`);
}

/** Ports that have been given out: the system may offer one again before it is listened on. */
const given = new Set();

async function freePort() {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
}
