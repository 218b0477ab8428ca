import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { connect } from '@antiphon/client'
import { openBrowser, openTab, PHONE, picture } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

// The server that is started here is told them; one that runs already has to have them.
const PASSWORD = (process.env.ANTIPHON_ADMIN__PASSWORD ??= 'open sesame, it is a test')
const TOKEN = (process.env.ANTIPHON_ADMIN__TOKEN ??= 'a-token-for-the-tests-of-the-inspector')

const SIZE = { width: 1280, height: 800 }
const CHANNEL = 'chat:inspected'
const errors = []
let server, browser, context, page, client, room

const admin = (path) => `${server.url}/admin/${path}`
const id = () => client.state.client
const heading = (name) => page.getByRole('heading', { level: 1, name, exact: true })
const logIn = async (tab, secret) => {
  await tab.getByLabel('Password').fill(secret)
  await tab.keyboard.press('Enter')
}
const go = async (name) => {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name }).click()
}
/** Once the client has been told a message with this text. */
const arrival = (text) =>
  new Promise((resolve) => {
    const leave = room.on('message', ({ data }) => {
      if (data.text !== text) return
      leave()
      resolve()
    })
  })
/** What the console was expected to show: Chromium writes a line for each answer that is a refusal, and for each that does not come. */
const expectErrors = (pattern) => {
  const unexpected = errors.filter((error) => !pattern.test(error))
  errors.length = 0
  assert.deepEqual(unexpected, [])
}

before(async () => {
  server = await serverUnderTest()
  await server.start()
  client = connect(server.url, { data: { name: 'Ada of the tests' } })
  room = client.channel(CHANNEL)
  await room.subscribe()
  await room.publish({ text: 'the first message', n: 1 })
  browser = await openBrowser()
  context = await browser.newContext({ viewport: SIZE, colorScheme: 'light', permissions: ['clipboard-write'] })
  page = await openTab(context, admin(''), errors)
})

after(async () => {
  client?.disconnect()
  await browser?.close()
  await server?.stop()
})

test('the login page says what is wrong, and stays by itself', async () => {
  await picture(page, 'inspector-login-light')
  await page.emulateMedia({ colorScheme: 'dark' })
  await picture(page, 'inspector-login-dark')
  await page.emulateMedia({ colorScheme: 'light' })
  assert.deepEqual(await page.evaluate(() => performance.getEntriesByType('resource').map(({ name }) => name)), [], 'it loads nothing else')
  await logIn(page, 'a wrong password')
  await page.getByRole('status').filter({ hasText: 'password is not the one' }).waitFor()
  assert.equal(await page.evaluate(() => document.activeElement.id), 'password')
  await picture(page, 'inspector-login-wrong')
  expectErrors(/status of 401/)
})

test('the right password leads to where one wanted to go', async () => {
  await page.goto(admin('#/nodes'))
  await logIn(page, PASSWORD)
  await heading('Nodes').waitFor()
  assert.equal(new URL(page.url()).hash, '#/nodes')
  await page.getByRole('region', { name: 'Nodes' }).getByText('this one').waitFor()
})

test('nothing is reachable without', async () => {
  const assets = [...(await page.content()).matchAll(/(?:src|href)="\/admin\/(assets\/[^"]+)"/g)].map(([, path]) => path)
  assert.ok(assets.length >= 2, 'the app has assets')
  const gets = ['stats', 'connections', `connections/${id()}`, `connections/${id()}/trace`, 'channels', `channels/${encodeURIComponent(CHANNEL)}`]
  gets.push(...['members', 'history'].map((list) => `channels/${encodeURIComponent(CHANNEL)}/${list}`), 'nodes', 'config', 'nothing')
  const posts = [`connections/${id()}/disconnect`, `connections/${id()}/trace`, `channels/${encodeURIComponent(CHANNEL)}/publish`]
  const questions = [
    ...gets.map((path) => ['GET', `api/${path}`]),
    ...posts.map((path) => ['POST', `api/${path}`]),
    ...assets.map((path) => ['GET', path]),
    ['GET', 'index.html'],
  ]
  for (const [method, path] of questions) {
    for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Cookie: 'antiphon_admin=1.2.3' }]) {
      // A few wrong tokens only: they are counted.
      if (headers.Authorization && path !== 'api/stats') continue
      const answer = await fetch(admin(path), { method, headers, ...(method === 'POST' && { body: '{}' }) })
      assert.equal(answer.status, 401, `${method} ${path}`)
      assert.equal((await answer.json()).error.code, 'unauthorized', `${method} ${path}`)
    }
  }
  const front = await (await fetch(admin(''))).text()
  assert.doesNotMatch(front, /assets\//)
  assert.equal((await fetch(admin('api/stats'), { headers: { Authorization: `Bearer ${TOKEN}` } })).status, 200)
})

test('a link with the token logs in, and the token is gone from the address', async () => {
  const other = await browser.newContext({ viewport: SIZE })
  const tab = await openTab(other, admin(`#token=${TOKEN}`), errors)
  await tab.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
  assert.doesNotMatch(tab.url(), /token/)
  // And where somebody is logged in already.
  await tab.goto(admin(`#token=${TOKEN}`))
  await tab.waitForURL(/#\/$/)
  await tab.getByRole('button', { name: 'Log out' }).click()
  await tab.getByLabel('Password').waitFor()
  await other.close()
})

test('the overview shows figures, as they are now', async () => {
  await go('Overview')
  await heading('Overview').waitFor()
  const tile = (name) => page.locator('.tiles > div').filter({ hasText: name }).locator('dd').first()
  await tile('Connections').filter({ hasText: /^[1-9]/ }).waitFor()
  await tile('Memory').filter({ hasText: /MiB|GiB/ }).waitFor()
  assert.equal(await page.locator('figure canvas').count(), 8)
  await page.locator('figure').filter({ hasText: 'Connections by transport' }).locator('dl').filter({ hasText: /[1-9]/ }).waitFor()
  // The seconds go on, and stand still while they are told to.
  const time = page.getByText(/^(As of|Held at) \d\d:\d\d:\d\d$/)
  const first = await time.textContent()
  await time.filter({ hasNotText: first }).waitFor()
  await page.getByRole('button', { name: 'Pause' }).click()
  const held = await page.getByText(/^Held at/).textContent()
  await page.waitForResponse(/api\/stats/)
  await page.waitForResponse(/api\/stats/)
  assert.equal(await time.textContent(), held)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText(/^As of/).filter({ hasNotText: held.slice('Held at '.length) }).waitFor()
})

test('a client is in the list, and is found', async () => {
  await go('Connections')
  const rows = page.getByRole('region', { name: 'Connections' }).locator('tbody tr')
  await rows.filter({ hasText: id() }).waitFor()
  const box = page.getByRole('searchbox', { name: 'Search connections' })
  await box.fill('NOBODY-HAS-THIS')
  await page.getByText('No connection matches').waitFor()
  await box.fill(id().slice(0, 13).toUpperCase())
  await rows.filter({ hasText: id() }).waitFor()
  assert.equal(await rows.count(), 1)
  assert.match(await page.getByRole('navigation', { name: 'Pages of connections' }).textContent(), /1–1 of 1/)
  // The filters stand in the address, so that a link can be sent.
  await box.fill('channel:chat:inspected')
  await box.press('Enter')
  await page.waitForURL(/#\/connections\?channel=chat%3Ainspected$/)
  await rows.filter({ hasText: id() }).waitFor()
  await page.reload()
  await page.getByRole('button', { name: 'Remove the filter channel chat:inspected' }).waitFor()
  await rows.filter({ hasText: id() }).getByRole('link').click()
  await heading(id()).waitFor()
})

test('its page shows what it is in, up to where, and on what', async () => {
  const channels = page.getByRole('region', { name: 'Channels of this client' }).getByRole('row').filter({ hasText: CHANNEL })
  await channels.waitFor()
  await channels.filter({ hasText: String(room.position.offset) }).waitFor()
  await page.getByText('Ada of the tests').first().waitFor()
  await page.getByRole('heading', { name: 'Transports' }).waitFor()
  await page.getByText(/since \d\d:\d\d:\d\d/).first().waitFor()
})

test('the trace shows a message that is published to it, and by it', async () => {
  await page.getByRole('button', { name: 'Start tracing' }).click()
  const log = page.getByRole('log', { name: 'Trace' })
  await log.waitFor()
  await page.getByText(/ends in \d+ min/).waitFor()
  await room.publish({ text: 'while it is traced' })
  await log.locator('.in', { hasText: 'while it is traced' }).waitFor()
  const told = log.locator('.out', { hasText: 'while it is traced' })
  await told.first().waitFor()
  await told.first().locator('summary').click()
  await told.first().locator('pre').filter({ hasText: '\n' }).waitFor()
  await page.getByRole('searchbox', { name: 'Filter the trace' }).fill('nothing has this')
  await log.getByText('No entry matches.').waitFor()
  await page.getByRole('searchbox', { name: 'Filter the trace' }).fill('')
  await picture(page, 'inspector-connection-light')
  await page.getByRole('button', { name: 'Stop tracing' }).click()
  await page.getByRole('button', { name: 'Start tracing' }).waitFor()
})

test('the channel is in its list, with its messages, and takes one by hand', async () => {
  await go('Channels')
  await page.getByRole('searchbox', { name: 'Search channels' }).fill('inspec')
  await page.getByRole('region', { name: 'Channels' }).getByRole('link', { name: CHANNEL }).click()
  await heading(CHANNEL).waitFor()
  const messages = page.getByRole('region', { name: 'Messages' })
  await messages.getByText('the first message').waitFor()
  await page.getByRole('region', { name: 'Members' }).getByRole('link', { name: id() }).waitFor()

  const data = page.getByLabel('Data, as JSON')
  await data.fill('{"text": ')
  await page.getByText('Not JSON yet: it ends too early.').waitFor()
  assert.ok(await page.getByRole('button', { name: 'Publish' }).isDisabled())
  await data.fill('{"text": "by hand"}')
  const arrived = arrival('by hand')
  await data.press('Control+Enter')
  await page.getByText(/Published at offset \d+ of epoch/).waitFor()
  await arrived
  await messages.getByText('by hand').waitFor()
  await picture(page, 'inspector-channel-light')
})

test('settings are shown with where they come from, and secrets are not', async () => {
  await go('Config')
  await heading('Config in force').waitFor()
  await page.getByRole('searchbox', { name: 'Search settings' }).fill('admin.')
  const password = page.getByRole('row').filter({ hasText: 'admin.password' })
  await password.filter({ hasText: '••••' }).filter({ hasText: 'environment' }).waitFor()
  const text = await (await fetch(admin('api/config'), { headers: { Authorization: `Bearer ${TOKEN}` } })).text()
  assert.ok(!text.includes(PASSWORD) && !text.includes(TOKEN))
  await page.getByRole('searchbox', { name: 'Search settings' }).fill('')
  await page.getByLabel('Only what is not the default').check()
  await page.getByRole('row').filter({ hasText: 'admin.password' }).waitFor()
})

test('by keyboard alone: to a page, to the search, to a row, and back', async () => {
  await go('Overview')
  await heading('Overview').waitFor()
  await page.keyboard.press('?')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('g')
  await page.keyboard.press('c')
  await heading('Connections').waitFor()
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
  await page.keyboard.press('/')
  await page.keyboard.type(`client:${id()}`)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: `Remove the filter client ${id()}` }).waitFor()
  await page.getByRole('region', { name: 'Connections' }).getByRole('link', { name: id() }).waitFor()
  for (let presses = 0; presses < 20; presses += 1) {
    await page.keyboard.press('Tab')
    if (await page.evaluate((name) => document.activeElement.textContent.trim() === name, id())) break
  }
  await page.keyboard.press('Enter')
  await heading(id()).waitFor()
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1')
  await page.goBack()
  await heading('Connections').waitFor()
  await page.getByRole('button', { name: `Remove the filter client ${id()}` }).waitFor()
})

test('no page is wider than its window, in the light, in the dark, on a phone', async () => {
  const pages = { overview: '#/', connections: '#/connections', channels: '#/channels', nodes: '#/nodes', config: '#/config' }
  pages.connection = `#/connections/${id()}`
  pages.channel = `#/channels/${encodeURIComponent(CHANNEL)}`
  for (const [look, viewport, colorScheme] of [['light', SIZE, 'light'], ['dark', SIZE, 'dark'], ['phone', PHONE, 'light']]) {
    await page.setViewportSize(viewport)
    await page.emulateMedia({ colorScheme })
    for (const [name, hash] of Object.entries(pages)) {
      await page.goto(admin(hash))
      await page.locator('main h1').waitFor()
      await page.getByText('Loading …').first().waitFor({ state: 'detached' })
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), `${name}, ${look}`)
      await picture(page, `inspector-${name}-${look}`)
    }
  }
  await page.setViewportSize(SIZE)
  await page.emulateMedia({ colorScheme: 'light' })
})

test('a client is disconnected, for the reason given, once that is confirmed', async () => {
  await page.goto(admin(`#/connections/${id()}`))
  await page.getByRole('button', { name: 'Disconnect …' }).click()
  const dialog = page.getByRole('dialog', { name: 'Disconnect this client?' })
  await page.keyboard.press('Escape')
  await dialog.waitFor({ state: 'hidden' })
  assert.equal(client.state.name, 'connected')
  await page.getByRole('button', { name: 'Disconnect …' }).click()
  await dialog.getByLabel('Reason told to the client').fill('the test is over')
  const ended = new Promise((resolve) => client.on('state', (state) => state.name === 'disconnected' && resolve(state)))
  await dialog.getByRole('button', { name: 'Disconnect', exact: true }).click()
  await page.getByText('This connection has ended.').waitFor()
  assert.equal((await ended).reason, 'the test is over')
  expectErrors(/status of 404/)
})

test('when the server is away the page says so, and goes on when it is back', async () => {
  await page.goto(admin('#/'))
  await heading('Overview').waitFor()
  await context.setOffline(true)
  await page.getByRole('status').filter({ hasText: 'The server cannot be reached.' }).waitFor()
  await page.getByText('Server away').waitFor()
  await picture(page, 'inspector-away')
  await context.setOffline(false)
  await page.getByText('Server away').waitFor({ state: 'detached' })
  expectErrors(/ERR_INTERNET_DISCONNECTED/)
})

test('a server that starts anew asks for the password again, and then the same page is there', { skip: !process.env.ANTIPHON_BIN && 'needs ANTIPHON_BIN' }, async () => {
  await page.goto(admin('#/channels?search=chat'))
  await heading('Channels').waitFor()
  await server.stop()
  await page.getByText('Server away').waitFor()
  await server.start()
  await page.getByLabel('Password').waitFor()
  await logIn(page, PASSWORD)
  await heading('Channels').waitFor()
  assert.equal(new URL(page.url()).hash, '#/channels?search=chat')
  expectErrors(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|status of 401/)
})

test('whoever guesses is made to wait', async () => {
  const other = await browser.newContext({ viewport: SIZE })
  const tab = await openTab(other, admin(''), errors)
  const answer = tab.getByRole('status')
  for (let guess = 0; guess < 15; guess += 1) {
    const answered = tab.waitForResponse(/admin\/login/)
    await logIn(tab, `guess ${guess}`)
    if ((await answered).status() === 429) break
  }
  await answer.filter({ hasText: /try again/i }).waitFor()
  await other.close()
  expectErrors(/status of (401|429)/)
})

test('no page has written an error', () => {
  assert.deepEqual(errors, [])
})
