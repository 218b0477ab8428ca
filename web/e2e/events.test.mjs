import assert from 'node:assert/strict'
import { createServer, connect } from 'node:net'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, picture, SIZE } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
let server, browser, page, relay

const lines = () => page.getByRole('listitem').allTextContents()
const reads = (line) => page.getByRole('listitem').filter({ hasText: line }).first().waitFor()
const says = (text) => page.getByRole('status').filter({ hasText: text }).waitFor({ timeout: 30_000 })
const publish = async (channel, data) => {
  const answer = await fetch(`${server.url}/api/publish`, { method: 'POST', body: JSON.stringify({ channel, data }) })
  assert.equal(answer.status, 200)
}

/** Passes connections on to the server, and can cut them and refuse new ones. */
async function relayTo(url) {
  const { hostname, port } = new URL(url)
  const open = new Set()
  let isCut = false
  const listener = createServer((near) => {
    const far = connect(port, hostname)
    for (const socket of [near, far]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => (open.delete(socket), near.destroy(), far.destroy()))
    }
    if (isCut) near.destroy()
    else near.pipe(far).pipe(near)
  })
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const cut = (cuts) => {
    isCut = cuts
    if (cuts) open.forEach((socket) => socket.destroy())
  }
  return { url: `http://127.0.0.1:${listener.address().port}`, cut, close: () => (cut(true), listener.close()) }
}

before(async () => {
  server = await serverUnderTest()
  await server.start()
  relay = await relayTo(server.url)
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE })
  // A browser says on the console that a stream was cut; that is what these tests do.
  page = await openTab(context, `${relay.url}/events.html`, errors, { on: false })
})

after(async () => {
  await browser?.close()
  relay?.close()
  await server?.stop()
})

test('a page without a library reads two channels', async () => {
  await says('Connected.')
  await publish('news', 'hello')
  await publish('weather', { sun: true })
  await reads('weather: {"sun":true}')
  assert.deepEqual(await lines(), ['news: "hello"', 'weather: {"sun":true}'])
})

test('what was published while the network was cut comes after it, once and in order', async () => {
  const before = await lines()
  relay.cut(true)
  await says('Disconnected.')
  for (let n = 1; n <= 20; n += 1) await publish(n % 2 ? 'news' : 'weather', n)
  relay.cut(false)
  await reads('weather: 20')
  await reads('news: 19')
  const missed = (await lines()).slice(before.length)
  const of = (channel) => missed.filter((line) => line.startsWith(channel)).map((line) => Number(line.split(' ')[1]))
  assert.deepEqual(of('news'), [1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
  assert.deepEqual(of('weather'), [2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
  await picture(page, 'events')
})

test('after a restart that kept nothing the page is told so, and goes on', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  await server.stop()
  await says('Disconnected.')
  await server.start()
  await reads('Some of news was missed.')
  await reads('Some of weather was missed.')
  await publish('news', 'again')
  await reads('news: "again"')
})

test('the consoles show no error of the page', () => {
  assert.deepEqual(errors.filter((error) => !/Failed to load resource: net::ERR/.test(error)), [])
})
