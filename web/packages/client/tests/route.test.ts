import { describe, expect, it } from 'vitest'
import { backoffDelay } from '../src/backoff.ts'
import { endpointsOf } from '../src/options.ts'
import { isTerminal } from '../src/protocol.ts'
import { Route, TRANSPORTS } from '../src/route.ts'

describe('the route', () => {
  it('goes down the list, and begins again when all have failed', () => {
    const route = new Route(TRANSPORTS)
    const taken: unknown[] = []
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const name = route.next()
      if (name === undefined) break
      taken.push([name, route.failed(name)])
    }
    expect(taken).toEqual([['websocket', true], ['http_stream', true], ['sse', true], ['poll', false], ['websocket', true]])
  })

  it('stays with what worked until it has failed three times', () => {
    const route = new Route(TRANSPORTS)
    route.failed('websocket')
    route.worked('http_stream')
    expect([1, 2, 3].map(() => [route.next(), route.failed('http_stream')])).toEqual([['http_stream', false], ['http_stream', false], ['http_stream', true]])
    expect(route.next()).toBe('sse')
  })

  it('forgives what has lasted, and everything in another network', () => {
    const route = new Route(TRANSPORTS)
    route.worked('poll')
    for (let round = 0; round < 5; round += 1) {
      expect(route.failed('poll')).toBe(false)
      route.lasted('poll')
    }
    expect(route.next()).toBe('poll')
    route.forget()
    expect(route.next()).toBe('websocket')
  })

  it('passes over what is forbidden', () => {
    const route = new Route(TRANSPORTS)
    route.forbid('websocket')
    route.forbid('sse')
    expect([route.next(), route.better('poll')]).toEqual(['http_stream', ['http_stream']])
    route.allow('websocket')
    expect([route.next(), route.better('websocket')]).toEqual(['websocket', []])
    for (const name of TRANSPORTS) route.forbid(name)
    expect(route.next()).toBeUndefined()
  })
})

it.each([
  [0, 0.5, 250],
  [1, 0.5, 500],
  [3, 0.999, 3996],
  [20, 0.5, 10_000],
  [5, 0, 0],
])('after %i failures, with %f at random, it waits %i ms', (failures, random, delay) => {
  expect(backoffDelay(failures, { base: 500, max: 20_000 }, () => random)).toBe(delay)
})

it.each([[3000, false], [3499, false], [3500, true], [3999, true], [4000, false], [4499, false], [4500, true], [4999, true], [5000, false], [0, false], [1006, false]])(
  'code %i is for good: %s',
  (code, expected) => {
    expect(isTerminal(code)).toBe(expected)
  },
)

it.each([
  ['http://a:8000', 'ws://a:8000/connection/websocket', 'http://a:8000/emulation'],
  ['https://a/', 'wss://a/connection/websocket', 'https://a/emulation'],
  ['wss://a/live', 'wss://a/live/connection/websocket', 'https://a/live/emulation'],
  ['ws://a/connection/websocket', 'ws://a/connection/websocket', 'http://a/emulation'],
])('under %s', (url, websocket, emulation) => {
  expect(endpointsOf(url)).toMatchObject({ websocket, emulation })
})

it.each(['nonsense', 'ftp://a', ''])('%j is no URL of a server', (url) => {
  expect(() => endpointsOf(url)).toThrow(TypeError)
})
