import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, PHONE, picture, SIZE } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
const outage = { on: false }
let server, browser, ada, bob

const status = (page) => page.getByRole('status')
const log = (page) => page.getByRole('log')
const write = async (page, text) => {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text)
  await page.keyboard.press('Enter')
}
const enter = async (page, name) => {
  await page.getByLabel('Your name').fill(name)
  await page.keyboard.press('Enter')
}
const isConnected = (page) => status(page).filter({ hasText: /^Connected over WebSocket as client \S+$/ }).waitFor()

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' })
  ada = await openTab(context, server.url, errors, outage)
  await picture(ada, 'name')
  await enter(ada, 'Ada')
  // A second tab of the same browser knows the name, and may take another.
  bob = await openTab(context, server.url, errors, outage)
  await bob.getByRole('button', { name: 'Change your name, Ada' }).click()
  await enter(bob, 'Bob')
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('both tabs say how they are connected, under different ids', async () => {
  await isConnected(ada)
  await isConnected(bob)
  assert.notEqual(await status(ada).textContent(), await status(bob).textContent())
})

test('what one tab writes the other reads, both ways', async () => {
  await write(ada, 'Good morning! Is this line open?')
  await log(bob).getByText('Good morning! Is this line open?').waitFor()
  await write(bob, 'It is. I hear you well.')
  await log(ada).getByText('It is. I hear you well.').waitFor()
  await write(bob, 'And I may sing at the same time as you.')
  await log(ada).getByText('And I may sing').waitFor()
  await write(ada, 'Two choirs answering each other, then.\nOver one line: https://www.rfc-editor.org/rfc/rfc6455')
  await log(bob).getByText('Two choirs').waitFor()

  const [fromAda, fromBob] = [log(bob).getByRole('article').first(), log(ada).getByRole('article').nth(1)]
  assert.match(await fromAda.textContent(), /^Ada\d/)
  assert.match(await fromBob.textContent(), /^Bob\d/)
  assert.match(await log(ada).getByRole('article').first().textContent(), /^Ada \(you\)/)
  assert.deepEqual(await texts(ada), await texts(bob))
})

test('a room of its own by the address, and a count of what is unread elsewhere', async () => {
  await bob.goto(`${server.url}/#garden`)
  await bob.getByRole('main', { name: 'Room garden' }).waitFor()
  await write(bob, 'Only the bees are here.')
  await log(bob).getByText('Only the bees are here.').waitFor()
  await write(ada, 'Bob, are you still there?')
  await bob.getByRole('link', { name: /lobby.*1 unread/ }).click()
  await log(bob).getByText('Bob, are you still there?').waitFor()
  await write(bob, 'I was in the garden.')
  await log(ada).getByText('I was in the garden.').waitFor()
  assert.equal(await log(ada).getByText('Only the bees are here.').count(), 0)
})

test('pictures: light, dark, phone', async () => {
  await picture(ada, 'light')
  await ada.emulateMedia({ colorScheme: 'dark' })
  await picture(ada, 'dark')
  await ada.setViewportSize(PHONE)
  await picture(ada, 'phone-dark')
  await ada.emulateMedia({ colorScheme: 'light' })
  await picture(ada, 'phone')
  const width = await ada.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= PHONE.width, `the page is ${width} px wide on a phone of ${PHONE.width} px`)
})

test('an outage is told, nothing written is lost, and the talk goes on', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  outage.on = true
  await server.stop()
  await status(ada).filter({ hasText: /^Not connected: / }).waitFor()
  await status(bob).filter({ hasText: /^Not connected: / }).waitFor()
  await write(ada, 'Into the void')
  const unsent = log(ada).getByRole('article').filter({ hasText: 'Into the void' })
  await unsent.getByText(/Not sent: there is no connection/).waitFor()
  await ada.getByText(/Reconnecting in \d+ s, attempt \d+\./).waitFor()
  await picture(ada, 'phone-outage')
  await ada.setViewportSize(SIZE)
  await picture(ada, 'outage')

  await server.start()
  await isConnected(ada)
  await isConnected(bob)
  outage.on = false
  assert.equal(await log(bob).getByText('Into the void').count(), 0)
  await unsent.getByRole('button', { name: 'Send again' }).click()
  await log(bob).getByText('Into the void').waitFor()
  await log(ada).getByRole('article').filter({ hasText: 'Not sent' }).waitFor({ state: 'detached' })
  assert.equal(await unsent.count(), 1)
  await picture(ada, 'after-outage')
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})

async function texts(page) {
  return page.locator('.log .text').allTextContents()
}
