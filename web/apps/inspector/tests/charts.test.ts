import { expect, test } from 'vitest'
import { Charts, KEPT } from '../src/charts'
import { TRANSPORTS, type Point, type Transport } from '../src/shapes'

function second(at: number): Point {
  return {
    at,
    connections: Object.fromEntries(TRANSPORTS.map((transport, index) => [transport, index + 1])) as Record<Transport, number>,
    clients: 0, users: 0, sessions: 0, subscriptions: 0, channels: 0,
    publications_per_s: 3, deliveries_per_s: 30, commands_per_s: 0, bytes_in_per_s: 4, bytes_out_per_s: 40,
    lag_p50_ms: null, lag_p99_ms: 2, slow_clients: 0, errors: 0, memory_bytes: 5, cpu: 0.5, history_bytes: 1, history_publications: 1,
  }
}

test('each chart has its series, raw and echo together', () => {
  const charts = new Charts()
  charts.add([second(1000)], 1000)
  expect(charts.connections.values).toEqual([[1], [2], [3], [4], [5], [13]])
  expect(charts.lag.values).toEqual([[null], [2]])
  expect(charts.messagesOut.values).toEqual([[30]])
  expect(charts.traffic.values).toEqual([[4], [40]])
})

test('a second that comes again is taken once', () => {
  const charts = new Charts()
  charts.add([second(1000), second(2000)], 1000)
  charts.add([second(2000), second(3000)], 1000)
  expect(charts.cpu.times).toEqual([1, 2, 3])
})

test('seconds that are missing are a gap in every line', () => {
  const charts = new Charts()
  charts.add([second(1000), second(2000)], 1000)
  charts.add([second(9000)], 1000)
  expect(charts.messagesIn.times).toEqual([1, 2, 3, 9])
  expect(charts.messagesIn.values).toEqual([[3, 3, null, 3]])
})

test('no more is held than the server keeps', () => {
  const charts = new Charts()
  charts.add(Array.from({ length: 2 * KEPT }, (_, index) => second((index + 1) * 1000)), 1000)
  expect(charts.memory.length).toBe(KEPT)
  expect(charts.memory.times[0]).toBe(KEPT + 1)
})
