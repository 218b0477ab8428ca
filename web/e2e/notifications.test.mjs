import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { openBrowser, openTab, PHONE, picture, SIZE } from './browser.mjs'
import { publish } from './demo.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
let server, browser, one, other

const items = (page) => page.getByRole('list', { name: 'Notifications, newest first' }).getByRole('listitem')
const isTitled = (page, title) => page.waitForFunction((title) => document.title === title, title)
const hasItem = (page, text) => items(page).filter({ hasText: text }).waitFor()

before(async () => {
  server = await serverUnderTest()
  await server.start()
  await publish(server.url, 'notifications', { severity: 'success', title: 'Backup done', text: '12 GB in 4 minutes.' })
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url })
  one = await openTab(context, `${server.url}/#/notifications`, errors)
  other = await openTab(context, `${server.url}/#/chat`, errors)
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('what was sent before the page was opened is in the list', async () => {
  await hasItem(one, 'Backup done')
  await isTitled(one, '(1) Notifications · Antiphon')
})

test('one that is sent from the page is in the list, lies over the page, and counts in every tab', async () => {
  await one.bringToFront()
  await one.getByRole('button', { name: 'Send to all tabs' }).click()
  await hasItem(one, 'Disk almost full')
  await one.getByRole('status', { name: 'Notifications' }).getByText('Disk almost full').waitFor()
  await isTitled(one, '(2) Notifications · Antiphon')
  await isTitled(other, '(2) Chat · Antiphon')
  await other.getByRole('link', { name: 'Notifications 2 unread' }).waitFor()
})

test('what cannot wait is an alert, and stays', async () => {
  await one.getByLabel('Severity').selectOption('critical')
  await one.getByLabel('Title').fill("It's on fire")
  await one.getByRole('button', { name: 'Send to all tabs' }).click()
  await one.getByRole('alert', { name: 'Notifications' }).getByText("It's on fire").waitFor()
  await picture(one, 'notifications')
})

test('the line that the page shows does the same from a shell, and can be copied', async () => {
  await one.getByLabel('Severity').selectOption('info')
  await one.getByLabel('Title').fill("Ada's release is out")
  await one.getByRole('button', { name: /^Copy the command/ }).click()
  const line = await one.evaluate(() => document.defaultView.navigator.clipboard.readText())
  assert.match(line, /^curl -X POST http\S+\/api\/publish -d '/)
  await promisify(execFile)('bash', ['-c', `${line} --silent --fail`])
  await hasItem(one, "Ada's release is out")
  await isTitled(other, '(4) Chat · Antiphon')
})

test('severities can be hidden, and what is read', async () => {
  const show = one.getByRole('group', { name: 'Show' })
  await show.getByRole('button', { name: 'critical' }).click()
  await items(one).filter({ hasText: 'on fire' }).waitFor({ state: 'detached' })
  await show.getByRole('button', { name: 'critical' }).click()
  await hasItem(one, "It's on fire")
  await items(one).filter({ hasText: 'Backup done' }).getByRole('button', { name: /^Mark as read/ }).click()
  await show.getByRole('button', { name: 'unread only' }).click()
  await items(one).filter({ hasText: 'Backup done' }).waitFor({ state: 'detached' })
  await show.getByRole('button', { name: 'unread only' }).click()
  assert.equal(await items(one).count(), 4)
})

test('what is read in one tab is read in all, and after a reload', async () => {
  await isTitled(other, '(3) Chat · Antiphon')
  await one.getByRole('button', { name: 'Mark all as read' }).click()
  await isTitled(one, 'Notifications · Antiphon')
  await isTitled(other, 'Chat · Antiphon')
  await other.reload()
  await publish(server.url, 'notifications', 'Any text will do')
  await isTitled(other, '(1) Chat · Antiphon')
})

test('pictures: dark, phone', async () => {
  await one.emulateMedia({ colorScheme: 'dark' })
  await picture(one, 'notifications-dark')
  await one.setViewportSize(PHONE)
  await picture(one, 'notifications-phone-dark')
  const width = await one.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= PHONE.width, `the page is ${width} px wide on a phone of ${PHONE.width} px`)
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
