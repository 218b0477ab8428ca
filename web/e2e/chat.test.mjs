import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { openBrowser, openTab, PHONE, picture, SIZE } from './browser.mjs'
import { enter, enterAs, isConnected, log, openPanel, panel, publish, reads, texts, write } from './demo.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
const outage = { on: false }
let server, browser, ada, bob

const idOf = (page) => panel(page).locator('dt:text-is("Client") + dd').textContent()
/** What stands beside a line of one's own: how far it has come. */
const hasTick = (page, text, words) => log(page).getByRole('article').filter({ hasText: text }).getByText(words).waitFor({ state: 'attached' })

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light' })
  ada = await openTab(context, server.url, errors, outage)
  await ada.getByLabel('Your name').waitFor()
  await picture(ada, 'name')
  await enter(ada, 'Ada')
  // A second tab of the same browser knows the name, and may take another.
  bob = await openTab(context, server.url, errors, outage)
  await enterAs(bob, 'Bob')
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('both tabs say how they are connected, under different ids', async () => {
  await isConnected(ada)
  await isConnected(bob)
  await openPanel(ada)
  await openPanel(bob)
  await panel(ada).getByText(/New session over WebSocket/).first().waitFor()
  assert.match(await idOf(ada), /^\S{36}$/)
  assert.notEqual(await idOf(ada), await idOf(bob))
  for (const page of [ada, bob]) {
    await page.keyboard.press('Escape')
    await panel(page).getByText('What happened').waitFor({ state: 'detached' })
  }
})

test('each sees who is here', async () => {
  for (const page of [ada, bob]) {
    const people = page.getByRole('list', { name: 'Who is here' })
    await people.getByText('Ada').waitFor()
    await people.getByText('Bob').waitFor()
  }
  await ada.getByRole('list', { name: 'Who is here' }).getByText('Ada (you)').waitFor()
})

test('what one tab writes the other reads, both ways', async () => {
  await write(ada, 'Good morning! Is this line open?')
  await reads(bob, 'Good morning! Is this line open?')
  await write(bob, 'It is. I hear you well.')
  await reads(ada, 'It is. I hear you well.')
  await write(bob, 'And I may sing at the same time as you.')
  await reads(ada, 'And I may sing at the same time as you.')
  await write(ada, 'Two choirs answering each other, then.\nOver one line: https://www.rfc-editor.org/rfc/rfc6455')
  await log(bob).getByText('Two choirs').waitFor()

  const [fromAda, fromBob] = [log(bob).getByRole('article').first(), log(ada).getByRole('article').nth(1)]
  assert.match(await fromAda.textContent(), /^Ada\d/)
  assert.match(await fromBob.textContent(), /^Bob\d/)
  assert.match(await log(ada).getByRole('article').first().textContent(), /^Ada \(you\)/)
  assert.deepEqual(await texts(ada), await texts(bob))
})

test('a line is ticked once when the server has it, twice when somebody has seen it', async () => {
  // Nobody looks at a room that is not open.
  await bob.goto(`${server.url}/#/chat/garden`)
  await bob.getByRole('main', { name: 'Room garden' }).waitFor()
  await write(ada, 'Has anybody seen this?')
  await hasTick(ada, 'Has anybody seen this?', 'The server has it')
  await bob.getByRole('link', { name: /lobby.*1 unread/ }).click()
  await bob.bringToFront()
  await reads(bob, 'Has anybody seen this?')
  await hasTick(ada, 'Has anybody seen this?', 'Seen by somebody')
})

test('who is typing is told', async () => {
  await bob.getByRole('textbox', { name: /^Message to/ }).pressSequentially('Wait')
  await ada.getByText('Bob is typing…').waitFor()
  await bob.keyboard.press('Enter')
  await reads(ada, 'Wait')
  await ada.getByText('Bob is typing…').waitFor({ state: 'detached' })
})

test('a room of its own by the address, a count of what is unread elsewhere, and it is remembered', async () => {
  await bob.goto(`${server.url}/#/chat/garden`)
  await bob.getByRole('main', { name: 'Room garden' }).waitFor()
  await write(bob, 'Only the bees are here.')
  await reads(bob, 'Only the bees are here.')
  await write(ada, 'Bob, are you still there?')
  await bob.getByRole('link', { name: /lobby.*1 unread/ }).click()
  await reads(bob, 'Bob, are you still there?')
  assert.equal(await log(ada).getByText('Only the bees are here.').count(), 0)
  await bob.reload()
  await bob.getByRole('link', { name: 'garden' }).click()
  await reads(bob, 'Only the bees are here.')
  await bob.getByRole('button', { name: 'Close the room garden' }).click()
  await bob.getByRole('main', { name: 'Room lobby' }).waitFor()
  await reads(bob, 'Bob, are you still there?')
})

test('the history comes page by page as one scrolls up, and the place is kept', async () => {
  for (let n = 1; n <= 250; n += 1) await publish(server.url, 'chat:archive', `line ${n}`)
  await bob.goto(`${server.url}/#/chat/archive`)
  await reads(bob, 'line 250')
  assert.equal((await texts(bob))[0], 'line 151')
  await log(bob).focus()
  await bob.keyboard.press('Home')
  await reads(bob, 'line 51')
  // What stood at the top is where it was, below what came.
  await log(bob).getByText('line 151', { exact: true }).waitFor()
  assert.ok(await log(bob).evaluate((list) => list.scrollTop > 500))
  await bob.keyboard.press('Home')
  await reads(bob, 'line 1')
  assert.deepEqual(await texts(bob), Array.from({ length: 250 }, (_, index) => `line ${index + 1}`))
  // Whoever reads further up is not disturbed, and finds the way back.
  await bob.keyboard.press('Home')
  await publish(server.url, 'chat:archive', 'line 251')
  await bob.getByRole('button', { name: 'To the latest' }).click()
  await reads(bob, 'line 251')
  await bob.goto(`${server.url}/#/chat/lobby`)
})

test('pictures: light, dark, phone', async () => {
  await write(bob, 'I was in the garden.')
  await reads(ada, 'I was in the garden.')
  await ada.bringToFront()
  await openPanel(ada)
  await picture(ada, 'light')
  await ada.emulateMedia({ colorScheme: 'dark' })
  await picture(ada, 'dark')
  await ada.keyboard.press('Escape')
  await panel(ada).getByRole('button', { name: 'Connection' }).click()
  await ada.setViewportSize(PHONE)
  await picture(ada, 'phone-dark')
  await ada.emulateMedia({ colorScheme: 'light' })
  await picture(ada, 'phone')
  const width = await ada.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= PHONE.width, `the page is ${width} px wide on a phone of ${PHONE.width} px`)
})

test('an outage is told, what is written in it waits, and the talk goes on after a restart that kept nothing', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  const before = await texts(ada)
  outage.on = true
  await server.stop()
  for (const page of [ada, bob]) await panel(page).getByRole('status').filter({ hasText: /^Not connected: / }).waitFor()
  await write(ada, 'Into the void')
  await hasTick(ada, 'Into the void', 'Waiting for the server')
  await ada.getByText(/Reconnecting in \d+ s, attempt \d+\./).waitFor()
  await picture(ada, 'phone-outage')
  await ada.setViewportSize(SIZE)
  await picture(ada, 'outage')

  await server.start()
  await isConnected(ada)
  await isConnected(bob)
  outage.on = false
  await reads(bob, 'Into the void')
  await hasTick(ada, 'Into the void', 'The server has it')
  await log(bob).getByText(/What was said in between may be missing/).waitFor()
  assert.deepEqual(await texts(ada), [...before, 'Into the void'])
  assert.deepEqual(await texts(bob), [...before, 'Into the void'])
  await picture(ada, 'after-outage')
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
