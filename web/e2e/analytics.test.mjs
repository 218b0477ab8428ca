import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { openBrowser, openTab, PHONE, picture, SIZE } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
let server, browser, one, other

const simulation = (page) => page.getByRole('switch', { name: 'Simulate when it is quiet' })
const table = (page) => page.getByRole('table', { name: 'What visitors did with each product' })
const row = (page, product) => table(page).getByRole('row').filter({ has: page.getByRole('rowheader', { name: product, exact: true }) })
const makesThem = (page) => page.getByText('This tab makes them up, as nobody else does.').waitFor()
const waits = (page) => page.getByText('When nobody makes them up for two seconds, this tab does.').waitFor()
/** The figures that only grow, and the rows by name. */
const figures = (page) =>
  page.evaluate(() => {
    const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent.trim())
    const [events, , orders, revenue] = texts('.tiles dd')
    return { tiles: [events, orders, revenue], rows: texts('tbody tr').sort() }
  })
const number = (text) => Number(text.replace(/\D/g, ''))
const counts = async (page, beyond) => {
  await page.waitForFunction((beyond) => Number(document.querySelector('.tiles dd')?.textContent.replace(/\D/g, '')) > beyond, beyond)
  return number((await figures(page)).tiles[0])
}

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' })
  one = await openTab(context, `${server.url}/#/analytics`, errors)
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('the first tab feeds itself, and its figures grow', async () => {
  await makesThem(one)
  const first = await counts(one, 0)
  await counts(one, first + 50)
  await one.getByRole('figure', { name: 'Per second' }).getByText(/^\d+$/).first().waitFor()
})

test('a second tab watches', async () => {
  other = await openTab(one.context(), `${server.url}/#/analytics`, errors)
  await waits(other)
  await counts(other, await counts(one, 0))
  await waits(other)
  assert.equal(await one.getByText('This tab makes them up').count(), 1)
})

test('both tabs show the same, though one came later', async () => {
  // Each product of the shop has a row before the figures stand still.
  await one.waitForFunction(() => document.querySelectorAll('tbody tr').length >= 12)
  // The one that waits first, or it would take over.
  await simulation(other).uncheck()
  await simulation(one).uncheck()
  await same()
})

test('the line that the page shows adds an order in each tab', async () => {
  const line = await one.getByLabel('the command that adds an event', { exact: true }).textContent()
  assert.match(line, /^curl http\S+\/api\/publish -d '/)
  await promisify(execFile)('bash', ['-c', `${line} --silent --fail`])
  for (const page of [one, other]) {
    await row(page, 'Paper star').waitFor()
    assert.deepEqual(await row(page, 'Paper star').getByRole('cell').allTextContents(), ['0', '0', '1', '€13'])
  }
  await same()
})

test('rows stay the same rows while their numbers tick', async () => {
  await table(one).getByRole('button', { name: 'Product' }).click()
  const names = () => table(one).getByRole('rowheader').allTextContents()
  await one.waitForFunction(() => [...document.querySelectorAll('tbody th')].every((th, index, all) => index === 0 || all[index - 1].textContent <= th.textContent))
  const order = await names()
  const kettle = await row(one, 'Copper kettle').elementHandle()
  const before = await kettle.textContent()
  await simulation(one).check()
  await makesThem(one)
  await one.waitForFunction(([row, before]) => row.textContent !== before, [kettle, before])
  assert.equal(await kettle.evaluate((row) => row.isConnected && row.querySelector('th').textContent), 'Copper kettle')
  assert.deepEqual(await names(), order)
})

test('rows are sorted by the column that is chosen', async () => {
  await table(one).getByRole('button', { name: 'Views' }).click()
  await table(one).getByRole('columnheader', { name: 'Views' }).and(one.locator('[aria-sort=descending]')).waitFor()
  await one.waitForFunction(() => {
    const views = [...document.querySelectorAll('tbody td.views')].map((cell) => Number(cell.textContent.replace(/\D/g, '')))
    return views.every((value, index) => index === 0 || value <= views[index - 1])
  })
})

test('what is no event is refused with what an event is', async () => {
  const body = JSON.stringify({ channel: 'analytics', data: { events: [{ product: 'Kite', kind: 'theft' }] } })
  await fetch(`${server.url}/api/publish`, { method: 'POST', body })
  const alert = one.getByRole('alert').filter({ hasText: 'A message of the shop is {"events"' })
  await alert.waitFor()
  await alert.getByRole('button', { name: 'Load again' }).click()
  await alert.waitFor({ state: 'detached' })
})

test('pictures: light, dark, phone', async () => {
  await counts(one, await counts(one, 0))
  await picture(one, 'analytics')
  await one.emulateMedia({ colorScheme: 'dark' })
  await picture(one, 'analytics-dark')
  await one.setViewportSize(PHONE)
  await picture(one, 'analytics-phone-dark')
  await one.emulateMedia({ colorScheme: 'light' })
  const width = await one.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= PHONE.width, `the page is ${width} px wide on a phone of ${PHONE.width} px`)
})

test('the other tab takes over when the first is closed', async () => {
  await simulation(other).check()
  await waits(other)
  await one.close()
  await makesThem(other)
  await counts(other, await counts(other, 0))
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})

/** Waits until both tabs show the same. */
async function same() {
  for (let turn = 0; turn < 100; turn += 1) {
    const [left, right] = [await figures(one), await figures(other)]
    if (JSON.stringify(left) === JSON.stringify(right)) return
  }
  assert.deepEqual(await figures(other), await figures(one))
}
