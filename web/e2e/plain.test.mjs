import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, picture, SIZE } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
const outage = { on: false }
let server, browser, ada, bob

const says = (page, pattern) => page.getByRole('status').filter({ hasText: pattern }).waitFor({ timeout: 30_000 })
const reads = (page, line) => page.getByRole('listitem').filter({ hasText: line }).waitFor()
const write = async (page, text) => {
  await page.getByLabel('Message', { exact: true }).fill(text)
  await page.keyboard.press('Enter')
}

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE })
  ada = await openTab(context, `${server.url}/plain.html`, errors, outage)
  bob = await openTab(context, `${server.url}/plain.html`, errors, outage)
  await ada.getByLabel('Your name').fill('Ada')
  await bob.getByLabel('Your name').fill('Bob')
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('what one tab writes the other reads, both ways, without a library', async () => {
  await says(ada, /^Connected\.$/)
  await says(bob, /^Connected\.$/)
  await write(ada, 'Plain words')
  await reads(bob, 'Ada: Plain words')
  await reads(ada, 'Ada: Plain words')
  await write(bob, 'travel well ✓')
  await reads(ada, 'Bob: travel well ✓')
  await picture(ada, 'plain')
})

test('an outage is told, and the talk goes on', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  outage.on = true
  await server.stop()
  await says(ada, /^Disconnected \(code \d+.*Trying again in \d+ s\.$/)
  await says(bob, /^Disconnected \(code \d+/)
  assert.equal(await ada.getByRole('button', { name: 'Send' }).isDisabled(), true)
  await server.start()
  await says(ada, /^Connected\.$/)
  await says(bob, /^Connected\.$/)
  outage.on = false
  await write(bob, 'We are back')
  await reads(ada, 'Bob: We are back')
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
