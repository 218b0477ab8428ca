import { spawn } from 'node:child_process'
import http from 'node:http'
import https from 'node:https'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const START_LIMIT = 10_000
const STOP_LIMIT = 15_000

/**
 * The server under test. With ANTIPHON_BIN (a command, arguments allowed) the tests start it on a free port and can
 * stop and start it; with ANTIPHON_URL alone they use the server that runs there. With `tls` it speaks HTTPS, with a
 * certificate that it makes for itself; `env` sets it up.
 */
export async function serverUnderTest({ tls = false, env = {} } = {}) {
  const { ANTIPHON_BIN: command, ANTIPHON_URL: given } = process.env
  if (!command && !given) {
    throw new Error('Set ANTIPHON_BIN to the server binary (for example ../target/debug/antiphon), or ANTIPHON_URL to a running server.')
  }
  if (!command) return { url: given.replace(/\/$/, ''), canRestart: false, start: async () => {}, stop: async () => {} }

  const url = given?.replace(/\/$/, '') ?? `http${tls ? 's' : ''}://127.0.0.1:${await freePort()}`
  let child
  return {
    url,
    canRestart: true,
    async start() {
      const [program, ...args] = command.split(/\s+/)
      child = spawn(program, [...args, 'serve', '--listen', new URL(url).host, ...(tls ? ['--tls-dev'] : [])], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, ...env } })
      let failure
      child.once('error', (error) => (failure = error))
      await waitFor(url, () => failure ?? (child.exitCode === null ? undefined : new Error(`${command} ended with status ${child.exitCode}`)))
    },
    async stop() {
      if (!child || child.exitCode !== null || child.signalCode !== null) return
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
      await ended
      clearTimeout(late)
    },
  }
}

async function freePort() {
  const probe = createServer()
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return port
}

/** Whether the start page is there, whatever the certificate. */
function answers(url) {
  return new Promise((resolve) => {
    const { get } = url.startsWith('https:') ? https : http
    const asked = get(url, { rejectUnauthorized: false, agent: false }, (answer) => {
      answer.resume()
      resolve(answer.statusCode === 200)
    })
    asked.once('error', () => resolve(false))
  })
}

async function waitFor(url, failure) {
  for (const end = Date.now() + START_LIMIT; Date.now() < end; await sleep(50)) {
    const error = failure()
    if (error) throw error
    if (await answers(url)) return
  }
  throw new Error(`${url} did not answer with success within ${START_LIMIT} ms.`)
}
