import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, picture, SIZE } from './browser.mjs'
import { enter, isConnected, openPanel, panel, reads, texts, write } from './demo.mjs'
import { serverUnderTest } from './server.mjs'

const TRANSPORTS = ['WebSocket', 'HTTP streaming', 'Server-sent events', 'Long polling']

const errors = []
const outage = { on: false }
/** Everything that was written, in this order. */
const written = []
let server, browser, contexts, ada, bob

/** One line each way; each waits for the other, so that there is one order. */
async function talk(about) {
  for (const [from, to] of [[ada, bob], [bob, ada]]) {
    const text = `${from === ada ? 'Ada' : 'Bob'} ${about}`
    written.push(text)
    await write(from, text)
    await reads(to, text)
  }
}

const happened = (page, pattern) => panel(page).getByRole('list').getByText(pattern).first().waitFor({ timeout: 30_000 })

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  contexts = [await browser.newContext({ viewport: SIZE }), await browser.newContext({ viewport: SIZE })]
  const url = `${server.url}/#/chat/survivors`
  ada = await openTab(contexts[0], url, errors, outage)
  bob = await openTab(contexts[1], url, errors, outage)
  await enter(ada, 'Ada')
  await enter(bob, 'Bob')
  for (const page of [ada, bob]) {
    await isConnected(page)
    await openPanel(page)
  }
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('the network is cut by the panel: the session is resumed, and it is told', async () => {
  await talk('before the cut')
  await panel(ada).getByRole('button', { name: 'Cut the network' }).click()
  await happened(ada, /WebSocket cut → resumed over .* after \d+ ms, nothing lost/)
  await panel(ada).locator('dt:text-is("Session") + dd').getByText('resumed').waitFor()
  await panel(ada).locator('dt:text-is("Taken over") + dd').getByText('once').waitFor()
  await talk('after the cut')
})

test('nothing gets through for a while: what was written on both sides comes after it', async () => {
  await panel(bob).getByLabel('Seconds without a network').fill('3')
  await panel(bob).getByRole('button', { name: 'Go offline' }).click()
  await panel(bob).getByRole('status').filter({ hasText: 'Offline' }).waitFor()
  await write(ada, 'Ada while Bob is away')
  await write(bob, 'Bob while away')
  await reads(bob, 'Ada while Bob is away')
  await reads(ada, 'Bob while away')
  written.push('Ada while Bob is away', 'Bob while away')
  await isConnected(bob)
})

test('the browser says that it is offline, and later that it is not', async () => {
  outage.on = true
  await contexts[0].setOffline(true)
  await write(ada, 'Ada without a network')
  await contexts[0].setOffline(false)
  await reads(bob, 'Ada without a network')
  written.push('Ada without a network')
  await panel(ada).getByRole('status').filter({ hasText: /^Connected over/ }).waitFor({ timeout: 30_000 })
  outage.on = false
})

test('every transport is forbidden in turn, and messages go both ways over the next', async () => {
  for (const [index, transport] of TRANSPORTS.entries()) {
    await isConnected(ada, transport)
    await talk(`over ${transport}`)
    if (index === TRANSPORTS.length - 1) break
    await panel(ada).getByLabel(transport).uncheck()
  }
  await picture(ada, 'survive')
  // Back on the best one, by the way that was shut first.
  await panel(ada).getByLabel('WebSocket').check()
  await panel(ada).getByLabel('Long polling').uncheck()
  await isConnected(ada)
  for (const transport of TRANSPORTS.slice(1)) await panel(ada).getByLabel(transport).check()
  await talk('over WebSocket again')
})

test('without any transport there is no connection, and the page says why', async () => {
  for (const transport of TRANSPORTS) await panel(bob).getByLabel(transport).uncheck()
  await panel(bob).getByText('Not connected: every transport is forbidden.').waitFor()
  written.push('Bob without a transport')
  await write(bob, 'Bob without a transport')
  await panel(bob).getByLabel('Long polling').check()
  await isConnected(bob, 'Long polling')
  await reads(ada, 'Bob without a transport')
  for (const transport of TRANSPORTS) await panel(bob).getByLabel(transport).check()
})

test('the server restarts in the middle', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  outage.on = true
  await server.stop()
  for (const page of [ada, bob]) await panel(page).getByRole('status').filter({ hasText: /^Not connected/ }).waitFor()
  await write(ada, 'Ada while it restarts')
  await server.start()
  await reads(bob, 'Ada while it restarts')
  written.push('Ada while it restarts')
  await talk('after the restart')
  await happened(ada, /new session over/)
  outage.on = false
})

test('a tab that leaves and comes back has what it missed', async () => {
  await panel(bob).getByRole('button', { name: 'Disconnect' }).click()
  await panel(bob).getByText('Disconnected by this page.').first().waitFor()
  await write(ada, 'Ada alone')
  written.push('Ada alone')
  await panel(bob).getByRole('button', { name: 'Connect', exact: true }).first().click()
  await reads(bob, 'Ada alone')
})

test('both have every line once and in the same order', async () => {
  await talk('at the end')
  assert.deepEqual(await texts(ada), written)
  assert.deepEqual(await texts(bob), written)
})

test('tabs that share one connection are one client, and talk with the others', async () => {
  const second = await openTab(contexts[1], `${server.url}/#/chat/survivors`, errors, outage)
  await isConnected(second)
  await openPanel(second)
  const idOf = (page) => panel(page).locator('dt:text-is("Client") + dd')
  assert.notEqual(await idOf(second).textContent(), await idOf(bob).textContent())
  for (const page of [bob, second]) {
    await panel(page).getByLabel('One connection for all tabs').click()
    await isConnected(page)
    await openPanel(page)
  }
  await idOf(second).getByText(await idOf(bob).textContent()).waitFor()
  await talk('on a shared connection')
  await reads(second, 'Ada on a shared connection')
  await reads(second, 'Bob on a shared connection')
  await panel(second).getByRole('button', { name: 'Cut the network' }).click()
  await happened(second, /WebSocket cut → resumed over .* nothing lost/)
  await talk('after a cut of the shared one')
  const shared = ['on a shared connection', 'after a cut of the shared one'].flatMap((about) => [`Ada ${about}`, `Bob ${about}`])
  for (const page of [ada, bob, second]) assert.deepEqual((await texts(page)).slice(-shared.length), shared)
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
