import { describe, expect, test } from 'vitest'
import { retryDelay } from '../src/connection/retry'
import { secondsLeft, sentence } from '../src/connection/status'
import { virtualPages } from './page'

const pages = virtualPages()

describe('the status tells the truth', () => {
  test('nothing connects before there is a name', async () => {
    const { chat } = pages.open('')
    await pages.pass(1_000)
    expect(chat.status.value).toEqual({ kind: 'idle' })
    expect(pages.server().attempts()).toBe(0)
  })

  test('connecting, then connected with transport and client id; the name goes with the connect command', async () => {
    const { chat } = pages.open('Ada')
    expect(chat.status.value).toEqual({ kind: 'connecting' })
    await pages.pass(10)
    expect(chat.status.value).toEqual({ kind: 'connected', transport: 'websocket', client: 'client-1' })
    expect(sentence(chat.status.value)).toBe('Connected over WebSocket as client client-1')
    expect(pages.server().names).toEqual([{ name: 'Ada' }])
  })

  test('a lost connection: why, how long, and that it tries exactly then', async () => {
    const { chat } = pages.open('Ada')
    await pages.pass(10)
    pages.server().stop()
    await pages.pass(0)
    const lost = { code: 1, reason: 'the connection was lost' }
    expect(chat.status.value).toEqual({ kind: 'waiting', cause: lost, attempt: 1, retryAt: Date.now() + 1_000 })
    await pages.pass(999)
    expect(pages.server().attempts()).toBe(1)
    await pages.pass(1)
    expect(pages.server().attempts()).toBe(2)
    expect(chat.status.value).toEqual({ kind: 'retrying', cause: lost, attempt: 1 })
    await pages.pass(1)
    expect(chat.status.value).toMatchObject({
      kind: 'waiting',
      attempt: 2,
      retryAt: Date.now() + 2_000,
      cause: { reason: 'antiphon.test does not answer' },
    })
    pages.server().start()
    await pages.pass(2_010)
    expect(chat.status.value).toMatchObject({ kind: 'connected', client: 'client-3' })
  })

  test('a page that finds no server keeps trying', async () => {
    pages.server().stop()
    const { chat } = pages.open('Ada')
    await pages.pass(1)
    expect(chat.status.value).toMatchObject({ kind: 'waiting', attempt: 1 })
    pages.server().start()
    await pages.pass(1_010)
    expect(chat.status.value.kind).toBe('connected')
  })

  test('“try now” cuts the wait short, and so does a network that comes back', async () => {
    const { chat, network } = pages.open('Ada')
    await pages.pass(10)
    for (const hurry of [chat.connect, () => network.dispatchEvent(new Event('online'))]) {
      pages.server().stop()
      pages.server().start()
      await pages.pass(1)
      expect(chat.status.value.kind).toBe('waiting')
      hurry()
      await pages.pass(10)
      expect(chat.status.value.kind).toBe('connected')
    }
    const settled = pages.server().attempts()
    await pages.pass(120_000)
    expect(pages.server().attempts()).toBe(settled)
  })

  test('an attempt that was hurried and failed leaves no earlier one behind', async () => {
    const { chat } = pages.open('Ada')
    await pages.pass(10)
    pages.server().stop()
    await pages.pass(500)
    chat.connect()
    await pages.pass(1)
    expect(chat.status.value).toMatchObject({ kind: 'waiting', attempt: 2 })
    await pages.pass(1_999)
    expect(pages.server().attempts()).toBe(2)
    await pages.pass(1)
    expect(pages.server().attempts()).toBe(3)
  })

  test('a server that sends the client away for good: code and reason, and no attempt until asked', async () => {
    const { chat } = pages.open('Ada')
    await pages.pass(10)
    pages.server().closeAll(3500, 'invalid token')
    await pages.pass(120_000)
    expect(chat.status.value).toEqual({ kind: 'disconnected', cause: { code: 3500, reason: 'invalid token' } })
    expect(sentence(chat.status.value)).toBe('Disconnected: the server said “invalid token” (code 3500).')
    expect(pages.server().attempts()).toBe(1)
    chat.connect()
    await pages.pass(10)
    expect(chat.status.value.kind).toBe('connected')
  })

  test('a new name reconnects under it', async () => {
    const { chat } = pages.open('Ada')
    await pages.pass(10)
    chat.rename('Countess')
    await pages.pass(10)
    expect(pages.server().names).toEqual([{ name: 'Ada' }, { name: 'Countess' }])
    expect(chat.status.value).toMatchObject({ kind: 'connected', client: 'client-2' })
  })
})

test('waits double from one second to twenty, half of each random', () => {
  const waits = [1, 2, 3, 4, 5, 6, 60].map((attempt) => [retryDelay(attempt, () => 0), retryDelay(attempt, () => 1)])
  expect(waits).toEqual([[500, 1_000], [1_000, 2_000], [2_000, 4_000], [4_000, 8_000], [8_000, 16_000], [10_000, 20_000], [10_000, 20_000]])
})

test('seconds left are whole and never negative', () => {
  expect([secondsLeft(2_500, 1_000), secondsLeft(1_000, 1_000), secondsLeft(0, 9_000)]).toEqual([2, 0, 0])
})
