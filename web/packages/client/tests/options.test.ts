import { expect, it } from 'vitest'
import { createClient } from '../src/index.ts'
import { begin, inVirtualTime, pass } from './support/life.ts'
import type { FakeServer } from './support/server.ts'

inVirtualTime()

function asked({ done }: FakeServer): unknown[] {
  return done.flatMap(({ subscribe, unsubscribe }): unknown[] => {
    if (subscribe !== undefined) return [[subscribe.token, subscribe.join_leave, subscribe.offset]]
    return unsubscribe === undefined ? [] : ['left']
  })
}

it('options that come later count from the next subscription on', async () => {
  const { client, server } = begin()
  const news = client.channel('news', { token: 'one' })
  void news.subscribe()
  await pass(50)
  expect(client.channel('news', { token: 'two' })).toBe(news)
  await pass(50)
  news.unsubscribe()
  client.channel('news', { token: 'three', since: { offset: 5, epoch: 'epoch-news' } })
  void news.subscribe()
  await pass(50)
  news.unsubscribe()
  void news.subscribe()
  await pass(50)
  expect(asked(server)).toEqual([['one', undefined, undefined], 'left', ['three', undefined, 5], 'left', ['three', undefined, undefined]])
})

it.each([
  ['with history nothing is missed', true, ['subscribed again recovered'], [1, 2]],
  ['without history there is a gap', false, ['gap', 'subscribed again'], [1]],
])('join and leave that are wanted later subscribe anew: %s', async (_name, hasHistory, events, seen) => {
  const { client, server } = begin({}, ({ server }) => { server.knobs.hasHistory = hasHistory })
  const news = client.channel('news')
  const notes: string[] = []
  const data: unknown[] = []
  void news.subscribe()
  await pass(50)
  news.on('message', (message) => data.push(message.data))
  news.on('gap', () => notes.push('gap'))
  news.on('unsubscribed', () => notes.push('unsubscribed'))
  news.on('subscribed', ({ isAgain, isRecovered }) => notes.push(`subscribed${isAgain ? ' again' : ''}${isRecovered ? ' recovered' : ''}`))
  server.publish('news', 1)
  await pass(50)
  client.channel('news', { joinLeave: true })
  client.channel('news', { joinLeave: true })
  server.publish('news', 2)
  await pass(50)
  expect([notes, data, asked(server)]).toEqual([events, seen, [[undefined, undefined, undefined], 'left', [undefined, true, hasHistory ? 1 : undefined]]])
})

it('those of a channel that waits to be subscribed are part of what it asks', async () => {
  const { client, server } = begin()
  void client.channel('news').subscribe()
  client.channel('news', { joinLeave: true })
  await pass(50)
  expect(asked(server)).toEqual([[undefined, true, undefined]])
})

it('gives the round trip', async () => {
  const { client } = begin({}, ({ network }) => { network.faults.latency = () => 20 })
  await pass(200)
  const trips: number[] = []
  void client.ping().then((trip) => trips.push(trip))
  await pass(100)
  expect(trips).toEqual([40])
})

it('a client that was only created does nothing', async () => {
  const used: string[] = []
  const client = createClient('http://server', { fetch: () => { used.push('fetch'); return Promise.reject(new TypeError('no')) } })
  void client.channel('news').subscribe()
  await pass(60_000)
  expect([used, client.state.name, client.channel('news').state]).toEqual([[], 'disconnected', 'subscribing'])
})
