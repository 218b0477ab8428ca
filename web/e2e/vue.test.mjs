import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBrowser } from './browser.mjs'
import { serverUnderTest } from './server.mjs'
import { workshop } from './snippets/workshop.mjs'

const PATIENCE = 60_000

/** Begins in a channel that never rests, over and over, on each transport, and cuts the network in the middle. */
const PAGE = `
import { connect, TRANSPORTS } from '@antiphon/client'
import { useChannel } from '@antiphon/vue'
import { effectScope } from 'vue'

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function round(number) {
  const client = connect('/', { transports: [TRANSPORTS[number % TRANSPORTS.length]], backoff: { base: 20, max: 20 } })
  const told = []
  const load = async () => {
    const { position } = await client.channel('busy').history()
    await wait(Math.random() * 50)
    return { state: position.offset, position }
  }
  const scope = effectScope()
  const [list, sum] = scope.run(() => [
    useChannel('busy', { client, history: 20, keep: 100_000, onMessage: ({ offset }) => told.push(offset) }),
    useChannel('busy', { client, load, reduce: (count, { offset }) => (offset === count + 1 ? offset : NaN) }),
  ])
  while (told.length < 15) await wait(10)
  client.cut()
  const before = told.length
  while (told.length < before + 15) await wait(10)
  while (sum.isLoading.value || list.isLoading.value) await wait(10)
  await wait(20)
  const offsets = list.messages.value.map(({ offset }) => offset)
  const isWhole = (offsets) => offsets.every((offset, index) => index === 0 || offset === offsets[index - 1] + 1)
  if (!isWhole(offsets)) throw new Error('the list has a hole: ' + offsets)
  if (!isWhole(told)) throw new Error('not each message once: ' + told)
  if (!(sum.value.value >= told[0])) throw new Error('the state is ' + sum.value.value)
  scope.stop()
  client.disconnect()
}

for (let number = 0; number < 8; number += 1) await round(number)
console.log('8 rounds')
`

let server, browser, shop

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  shop = await workshop(server.url, browser)
})

after(async () => {
  await shop?.close()
  await browser?.close()
  await server?.stop()
})

test('a channel begins without a gap while it is published in, and goes on so', { timeout: 2 * PATIENCE }, async () => {
  const page = await shop.page('rounds', 'main.js', { 'main.js': PAGE }, {})
  let isOver = false
  const publishing = (async () => {
    for (; !isOver; await sleep(2)) await fetch(`${server.url}/api/publish`, { method: 'POST', body: JSON.stringify({ channel: 'busy', data: 'on and on' }) })
  })()
  let output = ''
  for (const end = Date.now() + PATIENCE; Date.now() < end && !output.includes('8 rounds') && shop.errors.length === 0; await sleep(100)) output = await page.output()
  isOver = true
  await publishing
  assert.deepEqual(shop.errors, [])
  assert.match(output, /8 rounds/)
})
