import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { openBrowser, openTab } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

/** The page of these tests, which Vite puts together as it would an application: `npm run build --workspace @antiphon/client` makes what it stands on. */
const PAGE = fileURLToPath(new URL('share', import.meta.url))
const TYPES = { '.html': 'text/html', '.js': 'text/javascript' }

const errors = []
const outage = { on: false }
let server, browser, files, url

const metric = async (name) => {
  const text = await (await fetch(`${server.url}/metrics`)).text()
  return Number(text.split('\n').find((line) => line.startsWith(name))?.split(' ').at(-1))
}
const connections = () => metric('antiphon_connections{transport="websocket"}')
const publish = async (data) => {
  const answer = await fetch(`${server.url}/api/publish`, { method: 'POST', body: JSON.stringify({ channel: 'shared', data }) })
  assert.equal(answer.status, 200)
}
/** Who is in the channel, as the server sees it. */
const members = async () => {
  const answer = await fetch(`${server.url}/api/presence`, { method: 'POST', body: JSON.stringify({ channel: 'shared' }) })
  return Object.keys((await answer.json()).result.presence)
}
/** Waits until it is so, and gives how long that took, in milliseconds. */
const until = async (what, isSo, limit = 20_000) => {
  const begun = Date.now()
  for (;;) {
    const value = await isSo()
    if (value === true) return Date.now() - begun
    assert.ok(Date.now() - begun < limit, `${what}: not within ${limit} ms; it is ${JSON.stringify(value)}`)
    await sleep(20)
  }
}
const seenBy = (tab) => tab.evaluate('window.seen')
const allSee = (tabs, wanted) => until(`all see ${JSON.stringify(wanted)}`, async () => {
  const seen = await Promise.all(tabs.map(seenBy))
  const wrong = seen.findIndex((one) => JSON.stringify(one) !== JSON.stringify(wanted))
  return wrong === -1 || [wrong, seen[wrong], await tabs[wrong].evaluate('window.notes')]
})
async function openTabs(context, count, query = '') {
  const tabs = []
  for (let number = 0; number < count; number += 1) {
    const tab = await openTab(context, `${url}/?server=${server.url}&${query}`, errors, outage)
    tabs.push(tab)
    await tab.waitForFunction('document.title === "Subscribed"')
  }
  return tabs
}

before(async () => {
  const { output } = await build({ root: PAGE, configFile: false, logLevel: 'error', build: { write: false, target: 'es2022' } })
  const built = new Map(output.map(({ fileName, code, source }) => [`/${fileName}`, code ?? source]))
  files = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://page')
    const path = pathname === '/' ? '/index.html' : pathname
    response.writeHead(built.has(path) ? 200 : 404, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(built.get(path))
  })
  await new Promise((resolve) => files.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${files.address().port}`
  server = await serverUnderTest({ env: { ANTIPHON_CLIENT__ALLOWED_ORIGINS: url } })
  await server.start()
  browser = await openBrowser()
})

after(async () => {
  await browser?.close()
  files?.close()
  await server?.stop()
})

for (const [name, query, hasWorker] of [['a SharedWorker', 'worker', true], ['one of the tabs', '', true], ['one of the tabs, where there is no SharedWorker', 'worker', false]]) {
  test(`ten tabs share one connection, in ${name}`, async () => {
    const context = await browser.newContext()
    if (!hasWorker) await context.addInitScript('delete window.SharedWorker')
    await until('no connection', async () => (await connections()) === 0)
    const tabs = await openTabs(context, 10, query)
    assert.equal(await connections(), 1)
    assert.equal((await members()).length, 1)
    await publish('one for all')
    await allSee(tabs, ['one for all'])
    await tabs[3].evaluate('window.client.publish("shared", "from the fourth")')
    await allSee(tabs, ['one for all', 'from the fourth'])

    // The first tab has the connection, where there is no worker.
    const [first, ...rest] = tabs
    const client = await rest[0].evaluate('window.client.state.client')
    await first.close()
    await publish('after the first has gone')
    await allSee(rest, ['one for all', 'from the fourth', 'after the first has gone'])
    assert.equal(await connections(), 1)
    assert.equal((await members()).length, 1)
    // A worker goes on with its session; another tab begins one.
    assert.equal((await rest[0].evaluate('window.client.state.client')) === client, query === 'worker' && hasWorker)
    await rest[0].evaluate('window.client.publish("shared", "all of us")')
    await allSee(rest, ['one for all', 'from the fourth', 'after the first has gone', 'all of us'])
    assert.deepEqual((await Promise.all(rest.map((tab) => tab.evaluate('window.notes')))).flat().filter((note) => /gap|error/.test(note)), [])

    // The last one takes the session with it.
    for (const tab of rest) await tab.close()
    const took = await until('nobody is left', async () => (await members()).length === 0)
    console.log(`# ${name}: presence is empty ${took} ms after the last tab has closed`)
    await context.close()
  })

  test(`a tab that crashes is missed by nobody, in ${name}`, async () => {
    const context = await browser.newContext()
    if (!hasWorker) await context.addInitScript('delete window.SharedWorker')
    const tabs = await openTabs(context, 3, query)
    const [first, ...rest] = tabs
    await publish(1)
    await allSee(tabs, [1])
    const session = await context.newCDPSession(first)
    const crashed = first.waitForEvent('crash')
    session.send('Page.crash').catch(() => undefined)
    await crashed
    await publish(2)
    await allSee(rest, [1, 2])
    await until('one is left', async () => (await members()).length === 1)
    assert.equal(await connections(), 1)
    await context.close()
  })
}

for (const transport of ['websocket', 'http_stream', 'sse', 'poll']) {
  test(`a tab with a connection of its own, over ${transport}, takes its session with it`, async () => {
    const context = await browser.newContext()
    const [one, two] = await openTabs(context, 2, `own=${transport}`)
    await until('both are there', async () => (await members()).length === 2)
    await one.close()
    const took = await until('one is left', async () => (await members()).length === 1)
    // Where it goes elsewhere, it leaves as well.
    await two.goto('about:blank')
    await until('nobody is left', async () => (await members()).length === 0)
    console.log(`# ${transport}: presence shows it ${took} ms after the tab has closed`)
    await context.close()
  })
}

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
