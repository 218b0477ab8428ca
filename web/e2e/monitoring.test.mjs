import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { dirname, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, PHONE, picture, SIZE } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const HOST = 'test-host'
const GIB = 2 ** 30
const errors = []
let server, browser, one, other

const agent = (page, name) => page.getByRole('list', { name: 'Agents' }).getByRole('button').filter({ hasText: name })
const details = (page, name = HOST) => page.getByRole('region', { name, exact: true })
const chart = (page, label) => details(page).getByRole('figure', { name: label, exact: true })
const alarm = (page, text) => page.getByRole('log', { name: 'Alarms' }).getByRole('listitem').filter({ hasText: text })
const threshold = (page, label) => chart(page, label).getByRole('spinbutton', { name: 'Alarm above' })

async function report(figures) {
  const data = {
    agent: HOST,
    at: Date.now(),
    interval_s: 60,
    cores: 4,
    cpu: 0.25,
    load: [0.5, 0.4, 0.3],
    memory: { used: 2 * GIB, total: 8 * GIB },
    network: { received_per_s: 2048, sent_per_s: 1024 },
    disk: { used: 20 * GIB, total: 80 * GIB },
    uptime_s: 7384,
    server: { version: '9.9.9', connections: 7, channels: 3, publications_per_s: 50, deliveries_per_s: 150, lag_p99_ms: 1.5, memory_bytes: 32 * 2 ** 20 },
    ...figures,
  }
  const answer = await fetch(`${server.url}/api/publish`, { method: 'POST', body: JSON.stringify({ channel: 'monitoring', data }) })
  assert.equal(answer.status, 200)
}

before(async () => {
  server = await serverUnderTest()
  await server.start()
  for (let index = 0; index < 400; index += 1) await report({ cpu: 0.2 + 0.1 * Math.sin(index / 20) })
  await report({ cpu: 0.25 })
  await report({ agent: 'quiet-host', interval_s: 0.05, cpu: 0.01, server: undefined })
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' })
  one = await openTab(context, `${server.url}/#/monitoring`, errors)
  await agent(one, HOST).click()
  other = await openTab(context, `${server.url}/#/monitoring`, errors)
  await agent(other, HOST).click()
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('what was reported before the page was opened is there at once', async () => {
  await agent(one, HOST).filter({ hasText: 'fresh' }).filter({ hasText: 'CPU 25% · memory 25%' }).waitFor()
  await chart(one, 'CPU').getByText('25%', { exact: true }).waitFor()
  await chart(one, 'Network').getByText('2 KiB/s', { exact: true }).waitFor()
  await details(one).getByText('2 GiB of 8 GiB').waitFor()
  await details(one).getByText('2 h 3 min').waitFor()
  // Under the pointer at the left end is the first of all, more than one answer of the server's history ago.
  await chart(one, 'CPU').locator('.plot').hover({ position: { x: 80, y: 60 } })
  await chart(one, 'CPU').getByText('20%', { exact: true }).waitFor()
  await one.mouse.move(0, 0)
  await chart(one, 'CPU').getByText('25%', { exact: true }).waitFor()
})

test("the server's own figures stand below, where an agent sends them", async () => {
  await details(one).getByRole('heading', { name: 'The server, version 9.9.9' }).waitFor()
  await chart(one, 'Connections').getByText('7', { exact: true }).waitFor()
  await chart(one, 'Messages').getByText('150/s', { exact: true }).waitFor()
  await chart(one, 'Memory of the server').getByText('32 MiB', { exact: true }).waitFor()
})

test('a report changes the values in both tabs', async () => {
  await report({ cpu: 0.42, load: [3.25, 1, 1] })
  for (const page of [one, other]) {
    await chart(page, 'CPU').getByText('42%', { exact: true }).waitFor()
    await chart(page, 'Load').getByText('3.25', { exact: true }).waitFor()
  }
})

test('an agent that has ceased to report is gone', async () => {
  await agent(one, 'quiet-host').filter({ hasText: 'gone' }).waitFor()
})

test('another agent can be chosen, and has no charts of a server', async () => {
  await agent(one, 'quiet-host').click()
  await details(one, 'quiet-host').getByRole('figure', { name: 'CPU' }).getByText('1%', { exact: true }).waitFor()
  assert.equal(await details(one, 'quiet-host').getByRole('figure', { name: 'Connections' }).count(), 0)
  await agent(one, HOST).click()
  await chart(one, 'Connections').waitFor()
})

test('an alarm is raised when its threshold is lowered, and ends when it is clear', async () => {
  await threshold(one, 'CPU').fill('30')
  // The page is drawn anew meanwhile, which must not undo what is typed.
  await report({ cpu: 0.43 })
  await chart(one, 'CPU').getByText('43%', { exact: true }).waitFor()
  await one.keyboard.press('Enter')
  await alarm(one, `CPU of ${HOST} above 30%`).filter({ hasText: 'now' }).waitFor()
  await agent(one, HOST).getByText('alarm').waitFor()
  // The threshold is the reader's own.
  assert.equal(await alarm(other, `CPU of ${HOST}`).count(), 0)
  await picture(one, 'monitoring-alarm')
  await report({ cpu: 0.29 })
  await chart(one, 'CPU').getByText('29%', { exact: true }).waitFor()
  await alarm(one, `CPU of ${HOST} above 30%`).filter({ hasText: 'now' }).waitFor()
  await report({ cpu: 0.2 })
  await alarm(one, `CPU of ${HOST} above 30%, at most 43%`).filter({ hasText: /until \d/ }).waitFor()
  await agent(one, HOST).getByText('alarm').waitFor({ state: 'detached' })
})

test('the line of a threshold can be dragged, and moved by keys', async () => {
  const line = chart(one, 'Memory').getByRole('slider', { name: 'Threshold of Memory' })
  await line.scrollIntoViewIfNeeded()
  const { x, y, width, height } = await line.boundingBox()
  await one.mouse.move(x + width / 2, y + height / 2)
  await one.mouse.down()
  await one.mouse.move(x + width / 2, y + height / 2 + 50, { steps: 5 })
  await one.mouse.up()
  const dragged = Number(await line.getAttribute('aria-valuenow'))
  assert.ok(dragged < 0.75 && dragged > 0.1, `the threshold is at ${dragged}`)
  await line.press('Home')
  await line.press('PageUp')
  await line.press('PageUp')
  await line.press('ArrowUp')
  assert.equal(await threshold(one, 'Memory').inputValue(), '21')
  await alarm(one, `Memory of ${HOST} above`).filter({ hasText: 'now' }).waitFor()
})

test('the script that the page shows is an agent', async (t) => {
  const { ANTIPHON_BIN: command } = process.env
  if (!command) return t.skip('ANTIPHON_BIN is not set')
  await one.getByText('Or with a few lines of shell').click()
  const script = await one.getByLabel('the script', { exact: true }).textContent()
  const PATH = `${dirname(resolve(command.split(' ')[0]))}:${process.env.PATH}`
  const child = spawn('bash', ['-c', script.replace('$(hostname)', 'script-host')], { env: { ...process.env, PATH }, stdio: ['ignore', 'ignore', 'inherit'] })
  try {
    await agent(one, 'script-host').filter({ hasText: /CPU \d.*memory \d/ }).waitFor()
  } finally {
    child.kill()
  }
})

test('pictures: light, dark, phone', async () => {
  await one.locator('main').evaluate((main) => main.scrollTo(0, 0))
  await picture(one, 'monitoring')
  await one.emulateMedia({ colorScheme: 'dark' })
  await picture(one, 'monitoring-dark')
  await one.setViewportSize(PHONE)
  await picture(one, 'monitoring-phone-dark')
  await one.emulateMedia({ colorScheme: 'light' })
  const width = await one.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= PHONE.width, `the page is ${width} px wide on a phone of ${PHONE.width} px`)
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
