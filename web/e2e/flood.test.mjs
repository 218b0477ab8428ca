import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openBrowser, openTab, SIZE } from './browser.mjs'
import { enter, isConnected, log, reads, texts } from './demo.mjs'
import { serverUnderTest } from './server.mjs'

const PER_SECOND = 1000
const SECONDS = 5
const BATCH = 50
/** So many the chat shows where it follows what comes. */
const ROWS = 100

const errors = []
let server, browser, page

before(async () => {
  server = await serverUnderTest()
  await server.start()
  browser = await openBrowser()
  page = await openTab(await browser.newContext({ viewport: SIZE }), `${server.url}/#/chat/flood`, errors)
  await enter(page, 'Ada')
  await isConnected(page)
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

/** Publishes numbers by the server API, at a steady pace. */
async function flood() {
  const begin = performance.now()
  for (let first = 0; first < PER_SECOND * SECONDS; first += BATCH) {
    const commands = Array.from({ length: BATCH }, (_, index) => ({ publish: { channel: 'chat:flood', data: `number ${first + index}` } }))
    const answer = await fetch(`${server.url}/api/batch`, { method: 'POST', body: JSON.stringify({ commands }) })
    assert.equal(answer.status, 200)
    await sleep(begin + ((first + BATCH) * 1000) / PER_SECOND - performance.now())
  }
  return performance.now() - begin
}

/** Begins to measure in the page, until it is told to stop: how long a task waits, then a frame, and a key until the frame that shows it. */
async function measure() {
  await page.evaluate(() => {
    const view = document.defaultView
    const measured = { tasks: [], frames: [], keys: [], isOver: false }
    view.measured = measured
    const frame = (then) => view.requestAnimationFrame(() => setTimeout(then))
    const tick = () => {
      const posted = performance.now()
      setTimeout(() => {
        const begun = performance.now()
        measured.tasks.push(begun - posted)
        frame(() => {
          measured.frames.push(performance.now() - begun)
          if (!measured.isOver) tick()
        })
      })
    }
    tick()
    view.addEventListener('keydown', ({ timeStamp }) => frame(() => measured.keys.push(performance.now() - timeStamp)), { capture: true })
  })
  return () => page.evaluate(() => {
    document.defaultView.measured.isOver = true
    return document.defaultView.measured
  })
}

const summary = (times) => {
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share) => sorted[Math.floor((sorted.length - 1) * share)]?.toFixed(1)
  return `${sorted.length} measured, median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms`
}

test('a thousand messages a second into one tab: it answers, and has them all in order', async (t) => {
  const stop = await measure()
  let isFlooding = true
  const flooded = flood().finally(() => (isFlooding = false))
  const box = page.getByRole('textbox', { name: /^Message to/ })
  let typed = ''
  for (const letter of 'the page still takes what is typed while they come. '.repeat(20)) {
    if (!isFlooding) break
    await box.press(letter === ' ' ? 'Space' : letter)
    typed += letter
    await sleep(50)
  }
  const lasted = await flooded
  const last = PER_SECOND * SECONDS - 1
  await reads(page, `number ${last}`)
  const { tasks, frames, keys } = await stop()
  t.diagnostic(`${last + 1} messages in ${(lasted / 1000).toFixed(1)} s`)
  t.diagnostic(`a task waits: ${summary(tasks)}`)
  t.diagnostic(`a frame: ${summary(frames)}`)
  t.diagnostic(`a key until its frame: ${summary(keys)}`)

  const shown = await texts(page)
  assert.equal(shown.length, ROWS)
  assert.deepEqual(shown, Array.from({ length: ROWS }, (_, index) => `number ${last - ROWS + 1 + index}`))
  assert.equal(await log(page).getByText(/may be missing/).count(), 0)
  assert.equal(await box.inputValue(), typed)
})

test('the consoles show no error', () => {
  assert.deepEqual(errors, [])
})
