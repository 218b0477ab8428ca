import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBrowser } from './browser.mjs'
import { serverUnderTest } from './server.mjs'
import { blocksOf } from './snippets/blocks.mjs'
import { snippets } from './snippets/list.mjs'
import { api, clientsInstalled, workshop } from './snippets/workshop.mjs'

const PATIENCE = 20_000
/** So that there are tokens, which nobody needs. */
const ENV = { ANTIPHON_CLIENT__TOKEN__HMAC_SECRET_KEY: 'key of the test of the snippets' }

let server, browser, shop, token

before(async () => {
  const [program, ...args] = (process.env.ANTIPHON_BIN ?? 'antiphon').split(/\s+/)
  token = execFileSync(program, [...args, 'token', '--user', 'ada'], { encoding: 'utf8', env: { ...process.env, ...ENV } }).trim()
  server = await serverUnderTest({ env: ENV })
  await Promise.all([server.start(), clientsInstalled()])
  browser = await openBrowser()
  shop = await workshop(server.url, browser)
})

after(async () => {
  await shop?.close()
  await browser?.close()
  await server?.stop()
})

for (const [page, list] of Object.entries(snippets)) {
  const blocks = blocksOf(page)
  describe(page, { concurrency: 3 }, () => {
    test('every block is in the list, in its order', () => {
      assert.deepEqual(blocks.map(({ code }, index) => code.slice(0, list[index]?.is.length)), list.map(({ is }) => is))
    })

    for (const [index, block] of blocks.entries()) {
      const { not, ...how } = list[index] ?? {}
      const title = `line ${block.line}, ${block.language}`
      if (not === undefined) test(title, { timeout: 2 * PATIENCE }, () => proven(`${page.replace('.md', '')}-${index}`, block, how, blocks))
      else test(title, { skip: not }, () => {})
    }
  })
}

test('the consoles show no error', () => {
  assert.deepEqual(shop.errors, [])
})

/** Runs a block, and looks at what it was to do. */
async function proven(name, block, how, blocks) {
  const { channel = 'lobby', first = [], hears = false, data = (text) => ({ text }), clicks, shows, says } = how
  const publish = (text) => api(server.url, 'publish', { channel, data: data(text) })
  for (const text of first) await publish(text)
  const running = await begun(name, block, how, blocks, channel)
  try {
    if (hears) {
      const text = `for ${name}`
      await until(`${text} is not there`, async () => {
        await publish(text)
        return (await running.output()).includes(text)
      }, running)
    }
    if (clicks !== undefined) await running.click(clicks)
    if (shows !== undefined) await until(`it does not show ${shows}`, async () => fits(await running.output(), shows), running)
    if (says !== undefined) {
      await until(`${says} was not published`, async () => {
        const { publications } = await api(server.url, 'history', { channel, limit: 1000 })
        return publications.some(({ data }) => data.text === says)
      }, running)
    }
  } finally {
    await running.end()
  }
}

async function begun(name, { language, code }, { runs, after, files = {}, before = '', then = '', routes = {} }, blocks, channel) {
  const whole = [before, after === undefined ? '' : blocks[after].code, code, then].join('\n')
  if (runs === 'python') return shop.python(name, whole)
  if (runs === 'shell') return shop.shell(name, whole)
  if (runs === 'node') return shop.node(name, `main.${language}`, whole)
  const { offset, epoch } = await api(server.url, 'history', { channel })
  const said = Object.fromEntries(Object.entries(routes).map(([path, body]) => [path, body({ token, position: { offset, epoch } })]))
  const beside = Object.fromEntries(Object.entries(files).map(([file, number]) => [file, blocks[number].code]))
  if (runs === 'vue') return shop.page(name, 'main.js', shop.vue({ 'App.vue': whole }), said)
  return shop.page(name, `main.${language}`, { ...beside, [`main.${language}`]: whole }, said)
}

function fits(text, pattern) {
  return typeof pattern === 'string' ? text.includes(pattern) : pattern.test(text)
}

/** Waits for a condition; what did not come is told with what did. */
async function until(problem, condition, running) {
  for (const end = Date.now() + PATIENCE; Date.now() < end; await sleep(100)) if (await condition()) return
  assert.fail(`${problem} after ${PATIENCE} ms; there is:\n${await running.output()}`)
}
