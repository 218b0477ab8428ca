import type { ConnectionState } from '@antiphon/client'
import { describe, expect, test } from 'vitest'
import { ENTRIES_KEPT, Journal } from '../src/panel/journal'
import { secondsLeft, sentence, spoken } from '../src/panel/sentence'

const connected = (transport: 'websocket' | 'poll', isResumed: boolean): ConnectionState => ({ name: 'connected', transport, client: 'c', isResumed })
const connecting = (reason: string, attempt = 1): ConnectionState => ({ name: 'connecting', attempt, reason })

function told(...states: readonly (readonly [number, ConnectionState])[]): { texts: string[]; takeOvers: number } {
  const journal = new Journal()
  for (const [at, state] of states) journal.read(state, at)
  return { texts: journal.entries.map(({ text }) => text), takeOvers: journal.takeOvers }
}

describe('the journal', () => {
  const begin = [[0, connecting('connect() was called')], [40, connected('websocket', false)]] as const

  test('tells of the first session', () => {
    expect(told(...begin)).toEqual({ texts: ['New session over WebSocket after 40 ms'], takeOvers: 0 })
  })

  test('tells of a cut that the session survived, from its beginning', () => {
    const { texts, takeOvers } = told(...begin, [1_000, connecting('cut')], [1_050, connecting('websocket did not answer', 2)], [1_120, connected('poll', true)])
    expect(texts[0]).toBe('WebSocket cut → resumed over Long polling after 120 ms, nothing lost')
    expect(takeOvers).toBe(1)
  })

  test('tells of a session that was lost', () => {
    const { texts, takeOvers } = told(...begin, [1_000, connecting('the network is silent')], [9_000, connected('websocket', false)])
    expect(texts[0]).toBe('WebSocket: the network is silent → new session over WebSocket after 8000 ms; the history tells what was missed')
    expect(takeOvers).toBe(0)
  })

  test('tells of a better transport that took over while the other was there', () => {
    expect(told([0, connected('poll', false)], [9, connected('websocket', true)])).toEqual({
      texts: ['Long polling → WebSocket, a better one: taken over, nothing lost', 'New session over Long polling'],
      takeOvers: 1,
    })
  })

  test('tells of an end, and that what comes after it is new', () => {
    const { texts } = told(...begin, [50, { name: 'disconnected', code: 3500, reason: 'invalid token' }], [60, connecting('connect() was called')], [70, connected('websocket', false)])
    expect(texts.slice(0, 2)).toEqual(['New session over WebSocket after 10 ms', 'Disconnected: the server said “invalid token” (code 3500).'])
  })

  test('is bounded', () => {
    const journal = new Journal()
    for (let n = 0; n < 2 * ENTRIES_KEPT; n += 1) journal.note(n.toString(), n)
    expect(journal.entries).toHaveLength(ENTRIES_KEPT)
    expect(journal.entries[0]?.text).toBe((2 * ENTRIES_KEPT - 1).toString())
  })
})

test.each([
  [connected('poll', true), 'Connected over Long polling'],
  [connecting('connect() was called'), 'Connecting…'],
  [{ name: 'connecting', attempt: 1, reason: 'cut', retryAt: 1 }, 'Not connected: cut.'],
  [connecting('http_stream did not answer', 2), 'Not connected: HTTP streaming did not answer.'],
  [{ name: 'disconnected', code: 0, reason: 'disconnect() was called' }, 'Disconnected by this page.'],
] as const)('the state %o is said as %o', (state, words) => {
  expect(sentence(state)).toBe(words)
})

test('transports have names that people know, and other words stay', () => {
  expect(spoken('sse: the classes are polled')).toBe('Server-sent events: the classes are polled')
})

test('seconds left are whole and never negative', () => {
  expect([secondsLeft(2_500, 1_000), secondsLeft(1_000, 1_000), secondsLeft(0, 9_000)]).toEqual([2, 0, 0])
})
