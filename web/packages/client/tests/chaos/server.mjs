// The server under test, and relays before it that break connections: one for each client, so that a browser, which opens six
// connections to a host and port, does not let clients wait for each other.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const BINARY = process.env.ANTIPHON_BIN ?? fileURLToPath(new URL('../../../../../target/debug/antiphon', import.meta.url))
const START_LIMIT = 10_000
const STOP_LIMIT = 10_000

// `news` has no history: what a client does not get by its session it never gets.
const CONFIG = `
[http]
listen = ["127.0.0.1:0"]
[client]
insecure = true
allow_anonymous_connect_without_token = true
allowed_origins = ["*"]
[http_api]
insecure = true
[[channel.namespaces]]
name = "news"
[[channel.namespaces]]
name = "mine"
history_size = 100000
history_ttl = "1h"
`

/** Starts it. Gives its URL and what ends it. */
export async function startServer() {
  const folder = await mkdtemp(join(tmpdir(), 'antiphon-chaos-'))
  const config = join(folder, 'antiphon.toml')
  await writeFile(config, CONFIG)
  const child = spawn(BINARY, ['serve', '--config', config, '--log', process.env.CHAOS_LOG ?? 'warn'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const port = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${BINARY} does not listen after ${START_LIMIT} ms`)), START_LIMIT)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(line)
      if (found === null) return
      clearTimeout(timer)
      resolve(Number(found[1]))
    })
    ended.then(() => reject(new Error(`${BINARY} has ended`)), reject)
  })
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
      await ended
      clearTimeout(late)
      await rm(folder, { recursive: true })
    },
  }
}

/** A relay to the server's port, that can break what it carries in the middle of a byte stream. */
export async function startRelay(port) {
  const pairs = new Set()
  const relay = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    const pair = [client, server]
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('data', (bytes) => {
        if (pair.cut !== undefined) {
          // A part still gets through.
          to.write(bytes.subarray(0, Math.floor(bytes.length * pair.cut)), end)
          return
        }
        to.write(bytes)
      })
      from.on('error', end)
      from.on('close', end)
    }
  })
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  return {
    url: `http://127.0.0.1:${relay.address().port}`,
    /** Breaks every connection: half of the times at once, else within the next bytes. */
    break() {
      for (const pair of pairs) {
        if (Math.random() < 0.5) for (const socket of pair) socket.destroy()
        else pair.cut = Math.random()
      }
    },
    stop() {
      relay.close()
      for (const pair of pairs) for (const socket of pair) socket.destroy()
    },
  }
}
