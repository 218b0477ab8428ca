import type { Message } from '@antiphon/client'
import { expect, test } from 'vitest'
import { fold, quantile, SECONDS, Shop, toShopMessage, type ShopMessage } from '../src/rooms/analytics/shop'
import { anyEvent, Turn } from '../src/rooms/analytics/simulation'

const VIEW = { product: 'Kite', kind: 'view', ms: 7 } as const
const ORDER = { product: 'Kite', kind: 'order', ms: 300, price: 2300 } as const

/** A random number from a seed, the same each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

/** Messages as a page publishes them, 20 a second, with a summary in each twentieth. */
function stream(count: number): Message<ShopMessage>[] {
  const random = seeded(7)
  const shop = new Shop()
  return Array.from({ length: count }, (_, index) => {
    const offset = index + 1
    const time = 1_000_000 + offset * 50
    const data = { events: [anyEvent(random), anyEvent(random)], by: 'a', ...(offset % 20 === 0 && { summary: structuredClone(shop.summary()) }) }
    shop.add(data, offset, time)
    return { channel: 'analytics', data, offset, time }
  })
}

test('events add up by product, by second and by how long they took', () => {
  const shop = new Shop()
  shop.add({ events: [VIEW, VIEW, ORDER] }, 1, 5_000_100)
  shop.add({ events: [VIEW] }, 2, 5_001_000)
  shop.advance(5_002_000)
  expect(shop.products.get('Kite')).toEqual({ views: 3, carts: 0, orders: 1, revenue: 2300 })
  expect(shop.rates.times).toEqual([5000, 5001])
  expect(shop.rates.values).toEqual([[3, 1], [1, 0]])
  expect(quantile(shop.latency, 0.5)).toBe(10)
  expect(quantile(shop.latency, 0.99)).toBe(500)
})

test('a second without an event counts as none, and after a long silence only the last minute is kept', () => {
  const shop = new Shop()
  shop.add({ events: [VIEW] }, 1, 10_000)
  shop.advance(13_000)
  expect(shop.rates.values[0]).toEqual([1, 0, 0])
  shop.advance(10_000_000)
  expect(shop.rates.times.at(-1)).toBe(9999)
  expect(shop.rates.values[0]?.slice(-SECONDS).every((amount) => amount === 0)).toBe(true)
  expect(quantile(shop.latency, 0.5)).toBeUndefined()
})

test('who comes later begins with a summary and counts the same', () => {
  const messages = stream(500)
  const early = fold(messages)
  const late = fold(messages.slice(-200))
  expect(Object.fromEntries(late.products)).toEqual(Object.fromEntries(early.products))
  expect(late.rates.times).toEqual(early.rates.times)
  expect(late.rates.values).toEqual(early.rates.values)
  late.latency.forEach((amount, index) => { expect(amount).toBeCloseTo(early.latency[index] ?? -1, 1) })
})

test('a summary that leaves out what the page cannot see is not begun with', () => {
  const summary = { ...new Shop().summary(), through: 1 }
  const shop = fold([{ channel: 'analytics', offset: 38, time: 1_002_000, data: { events: [VIEW], summary } }, ...stream(40).slice(-2).map(({ data: { events }, ...rest }) => ({ ...rest, data: { events } }))])
  expect([...shop.products.values()].reduce((sum, { views, carts, orders }) => sum + views + carts + orders, 0)).toBe(5)
})

test('a message of anybody is looked at before it counts', () => {
  expect(toShopMessage({ events: [VIEW, ORDER] })).toEqual({ events: [VIEW, ORDER] })
  const broken: unknown[] = [null, 'text', {}, { events: [null] }, { events: [{ ...VIEW, kind: 'theft' }] }, { events: [{ ...VIEW, ms: -1 }] }, { events: [{ ...VIEW, product: '' }] }, { events: [{ ...ORDER, price: 'free' }] }]
  for (const data of broken) expect(() => toShopMessage(data)).toThrow(/A message of the shop is/)
})

test('simulated events are valid, and orders have a price', () => {
  const random = seeded(1)
  const events = Array.from({ length: 500 }, () => anyEvent(random))
  expect(toShopMessage({ events }).events).toHaveLength(500)
  expect(events.filter(({ kind }) => kind === 'order').every(({ price = 0 }) => price > 0)).toBe(true)
  expect(new Set(events.map(({ kind }) => kind))).toEqual(new Set(['view', 'cart', 'order']))
})

test('a page simulates after two seconds of silence, and not while another does', () => {
  const turn = new Turn('b', 0, 0)
  expect(turn.isMine(1999)).toBe(false)
  turn.heard('a', 1999)
  expect(turn.isMine(3998)).toBe(false)
  expect(turn.isMine(3999)).toBe(true)
})

test('of two pages that begin together one goes on', () => {
  const [a, b] = [new Turn('a', 0.5, 0), new Turn('b', 0.5, 0)]
  expect([a.isMine(2500), b.isMine(2500)]).toEqual([true, true])
  for (const turn of [a, b]) for (const by of ['a', 'b']) turn.heard(by, 2510)
  expect([a.isMine(2520), b.isMine(2520)]).toEqual([true, false])
})

test('an event by hand delays the beginning and ends nothing', () => {
  const turn = new Turn('a', 0, 0)
  turn.heard(undefined, 1000)
  expect(turn.isMine(2500)).toBe(false)
  expect(turn.isMine(3000)).toBe(true)
  turn.heard(undefined, 3001)
  expect(turn.isMine(3002)).toBe(true)
  turn.release(3003)
  expect(turn.isMine(3004)).toBe(false)
})
