import { createApp, nextTick, watch } from 'vue'
import { describe, expect, it, vi } from 'vitest'
import { begin, inVirtualTime, pass } from '../../client/tests/support/life.ts'
import { createAntiphon, useChannel, useClient } from '../src/index.ts'
import { inScope } from './support/mount.ts'

inVirtualTime()

describe('a burst', () => {
  it('changes the messages once in each frame', async () => {
    const frames: FrameRequestCallback[] = []
    vi.stubGlobal('requestAnimationFrame', (run: FrameRequestCallback) => frames.push(run))
    vi.stubGlobal('cancelAnimationFrame', () => undefined)
    const { client, server } = begin()
    const { messages } = inScope(() => useChannel('news', { client }))
    let changes = 0
    inScope(() => ({ unwatch: watch(messages, () => { changes += 1 }, { flush: 'sync' }) }))
    await pass(50)
    for (let number = 0; number < 100; number += 1) {
      server.publish('news', number)
      await pass(1)
    }
    expect([frames.length, changes]).toEqual([1, 0])
    frames.shift()?.(0)
    expect([changes, messages.value.length]).toEqual([1, 100])
    // A page that is hidden has no frames.
    server.publish('news', 100)
    await pass(1000)
    expect([changes, messages.value.length]).toEqual([2, 101])
  })

  it('changes them once for each macrotask where there are no frames', async () => {
    const { client, server } = begin()
    const { messages } = inScope(() => useChannel('news', { client, history: 50, keep: 1000 }))
    let changes = 0
    inScope(() => ({ unwatch: watch(messages, () => { changes += 1 }, { flush: 'sync' }) }))
    await pass(50)
    server.restart()
    for (let number = 0; number < 1000; number += 1) server.publish('news', number)
    await pass(5000)
    expect([changes, messages.value.length]).toEqual([2, 1000])
  })

  it('leaves the newest that are to be kept', async () => {
    const { client, server } = begin()
    const { messages } = inScope(() => useChannel<number>('news', { client, keep: 3 }))
    await pass(50)
    for (let number = 0; number < 10; number += 1) server.publish('news', number)
    await pass(50)
    expect(messages.value.map(({ data }) => data)).toEqual([7, 8, 9])
  })
})

it('hands over only what the check takes', async () => {
  const { client, server } = begin()
  server.publish('news', 'one')
  const check = (data: unknown): number => {
    if (typeof data !== 'number') throw new TypeError(`${String(data)} is no number`)
    return data * 10
  }
  const { messages, error } = inScope(() => useChannel('news', { client, check, history: 5 }))
  await pass(50)
  expect(error.value?.message).toBe('one is no number')
  for (const data of [1, 'two', 3]) server.publish('news', data)
  await pass(50)
  expect([messages.value.map(({ data }) => data), error.value?.message]).toEqual([[10, 30], 'two is no number'])
})

it('publishes, and says what became of it', async () => {
  const { client, server } = begin({}, ({ server }) => {
    server.knobs.answer = ({ publish }) => (publish?.data === 'bad' ? { error: { code: 107, message: 'bad request' } } : undefined)
  })
  const { publish } = inScope(() => useChannel<string>('news', { client }))
  const outcomes = Promise.allSettled([publish('good'), publish('bad')])
  await pass(50)
  expect([(await outcomes).map(({ status }) => status), server.published('news')]).toEqual([['fulfilled', 'rejected'], ['good']])
})

it('messages cannot be changed from outside', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const { client } = begin()
  const { messages } = inScope(() => useChannel('news', { client }))
  Object.assign(messages, { value: 'other' })
  await nextTick()
  expect([messages.value, warn.mock.calls.length]).toEqual([[], 1])
  warn.mockRestore()
})

it('the client of an application is there for everything in it', () => {
  const { client } = begin()
  const app = createApp({})
  app.use(createAntiphon(client))
  expect(app.runWithContext(() => useClient())).toBe(client)
})
