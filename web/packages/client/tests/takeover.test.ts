import { describe, expect, it } from 'vitest'
import { TRANSPORTS } from '../src/index.ts'
import { begin, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)

describe('a better transport takes over', () => {
  it.each([
    ['while both bring messages', { websocket: 40, other: 40 }],
    // What the old one acknowledged in between, the server would not have for the new one.
    ['slowly, while the old one is fast', { websocket: 400, other: 2 }],
    ['at once, while the old one is slow', { websocket: 1, other: 300 }],
  ])('%s', async (_name, latencies) => {
    const { client, network, server } = begin({ upgradeAfter: 1000 }, ({ network }) => {
      network.faults.latency = (route) => (route === 'websocket' ? latencies.websocket : latencies.other)
      network.faults.blocked.add('websocket')
    })
    const seen: unknown[] = []
    const news = client.channel('news')
    news.on('message', ({ data }) => seen.push(data))
    void news.subscribe()
    await pass(3000)
    expect(client.state).toMatchObject({ transport: 'http_stream' })
    network.faults.blocked.clear()
    const published: Promise<void>[] = []
    for (const number of upTo(2000)) {
      server.publish('news', number)
      if (number % 10 === 0) published.push(client.publish('mine', number / 10))
      await pass(4)
    }
    await pass(3000)
    await Promise.all(published)
    expect(client.state).toMatchObject({ transport: 'websocket', isResumed: true })
    expect(seen).toEqual(upTo(2000))
    expect(server.published('mine')).toEqual(upTo(200))
    expect(server.sessions.size).toBe(1)
  })

  it('and leaves things as they are where it cannot', async () => {
    const { client, network, server } = begin({ upgradeAfter: 1000 }, ({ network }) => network.faults.mute.add('websocket'))
    await pass(6000)
    expect(client.state).toMatchObject({ transport: 'http_stream' })
    await Promise.all([client.publish('mine', 1), pass(60_000)])
    expect(network.tried.filter((name) => name === 'websocket').length).toBeGreaterThan(1)
    expect(client.state).toMatchObject({ name: 'connected', transport: 'http_stream' })
    expect(server.connects).toHaveLength(1)
  })
})

it.each(TRANSPORTS)('%s takes messages in whatever pieces they come', async (transport) => {
  const { client, server } = begin({ transports: [transport] }, ({ network }) => {
    network.faults.split = (text) => text.match(/.{1,7}/gsu) ?? []
  })
  const seen: unknown[] = []
  const news = client.channel('news')
  news.on('message', ({ data }) => seen.push(data))
  void news.subscribe()
  await pass(100)
  for (const number of upTo(20)) server.publish('news', `${number} é€😀\n`)
  await pass(1000)
  expect(seen).toEqual(upTo(20).map((number) => `${number} é€😀\n`))
  expect(server.connects).toHaveLength(1)
})

it('in a new session subscriptions come before what has waited', async () => {
  const { client, network, server } = begin()
  const seen: unknown[] = []
  const mine = client.channel('mine')
  mine.on('message', ({ data }) => seen.push(data))
  void mine.subscribe()
  await pass(50)
  network.breakAll()
  server.restart()
  void client.publish('mine', 1)
  void client.publish('mine', 2)
  await pass(2000)
  expect(seen).toEqual([1, 2])
  expect(server.done.map(({ n }) => n)).toEqual([1, 1, 2, 3])
})

it('a command that the server has had is not sent again', async () => {
  const { client, network, server } = begin({ transports: ['sse'] }, ({ server }) => {
    server.knobs.answer = ({ rpc }) => (rpc === undefined ? undefined : 'silence')
  })
  await pass(50)
  void client.rpc('slow').catch(() => undefined)
  await pass(50)
  network.posts.length = 0
  network.breakAll()
  await pass(2000)
  expect(client.state).toMatchObject({ isResumed: true })
  expect(network.posts.filter((body) => body.includes('slow'))).toEqual([])
  expect(server.done.filter(({ rpc }) => rpc !== undefined)).toHaveLength(1)
})
