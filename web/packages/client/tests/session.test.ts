import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type AntiphonError, type Options, type TransportName } from '../src/index.ts'
import { calm, FakeNetwork, stormy } from './support/network.ts'
import { Random } from './support/random.ts'
import { FakeServer } from './support/server.ts'

const ALL: readonly TransportName[] = ['websocket', 'http_stream', 'sse', 'poll']
/** How many seeds: more with `SEEDS=5000`. */
const SEEDS = Number(process.env.SEEDS ?? 150)
const FIRST = Number(process.env.FIRST_SEED ?? 1)

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function optionsOf(network: FakeNetwork, options: Options = {}): Options {
  return { WebSocket: network.WebSocket, fetch: network.fetch, random: new Random(7).next, ...options }
}

describe('on each transport', () => {
  it.each(ALL)('%s: messages come and go, once and in order', async (transport) => {
    const server = new FakeServer()
    const network = new FakeNetwork(server, calm())
    const client = connect('http://server', optionsOf(network, { transports: [transport] }))
    const seen: unknown[] = []
    const news = client.channel('news')
    news.on('message', ({ data }) => seen.push(data))
    void news.subscribe()
    await vi.advanceTimersByTimeAsync(50)
    expect(client.state).toMatchObject({ name: 'connected', transport, isResumed: false })
    const published = Promise.all(Array.from({ length: 100 }, (_, at) => client.publish('mine', at)))
    for (let at = 0; at < 100; at += 1) server.publish('news', at)
    await vi.advanceTimersByTimeAsync(500)
    await published
    expect(seen).toEqual(Array.from({ length: 100 }, (_, at) => at))
    expect(server.published('mine')).toEqual(seen)
    client.disconnect()
    await vi.advanceTimersByTimeAsync(50)
    expect(server.sessions.size).toBe(0)
  })
})

/** One life of a client in a bad network, in which everything at random comes from the seed. */
async function play(seed: number, doesRestart: boolean): Promise<void> {
  const random = new Random(seed)
  const server = new FakeServer()
  let faultiness = random.pick([0, 0.02, 0.1, 0.3])
  const network = new FakeNetwork(server, stormy(random, () => faultiness))
  const client = connect('http://server', optionsOf(network, {
    random: random.next,
    timeout: 2000,
    upgradeAfter: random.pick([500, 3000, 30_000]),
    backoff: { base: 100, max: 2000 },
  }))
  const seen: unknown[] = []
  const fates = new Map<number, string>()
  const answers: number[] = []
  let asks = 0
  const news = client.channel('news')
  news.on('message', ({ data }) => seen.push(data))
  void news.subscribe()
  await vi.advanceTimersByTimeAsync(200)
  // Without a position nothing can be recovered: the first subscription has to have been there.
  for (let waits = 0; news.position === undefined && waits < 600; waits += 1) await vi.advanceTimersByTimeAsync(100)
  const [pushes, publishes] = [random.between(0, 150), random.between(0, 150)]
  let [pushed, published] = [0, 0]
  while (pushed < pushes || published < publishes) {
    for (let burst = random.between(0, 5); burst > 0 && pushed < pushes; burst -= 1) server.publish('news', ++pushed)
    for (let burst = random.between(0, 5); burst > 0 && published < publishes; burst -= 1) {
      const value = ++published
      client.publish('mine', value).then(
        () => fates.set(value, 'done'),
        (error: unknown) => fates.set(value, (error as AntiphonError).fate),
      )
    }
    const dice = random.between(0, 99)
    if (dice < 10) client.cut()
    else if (dice < 20) network.breakAll()
    else if (dice < 30) client.forbid(random.pick(ALL))
    else if (dice < 40) for (const name of ALL) client.allow(name)
    else if (dice < 41) {
      const ask = ++asks
      news.history({ limit: 1 }).then(() => answers.push(ask), () => answers.push(-ask))
    } else if (dice < 43) network.faults.isDead = !network.faults.isDead
    else if (dice < 46) network.faults.blocked.add(random.pick(ALL))
    else if (dice < 49) network.faults.mute.add(random.pick(ALL))
    else if (dice < 55) {
      network.faults.blocked.clear()
      network.faults.mute.clear()
    } else if (dice < 60 && doesRestart) server.restart()
    else if (dice < 64) faultiness = random.pick([0, 0.02, 0.1, 0.3])
    await vi.advanceTimersByTimeAsync(random.pick([0, 1, 5, 20, 100, 500]))
  }
  faultiness = 0
  network.faults.isDead = false
  network.faults.blocked.clear()
  network.faults.mute.clear()
  for (const name of ALL) client.allow(name)
  await vi.advanceTimersByTimeAsync(45_000)
  // A better transport may be taking over just now.
  for (let waits = 0; client.state.name !== 'connected' && waits < 20; waits += 1) await vi.advanceTimersByTimeAsync(100)

  expect(client.state.name).toBe('connected')
  expect(seen, 'what the client saw').toEqual(Array.from({ length: pushes }, (_, at) => at + 1))
  const applied = server.published('mine') as number[]
  expect(applied, 'each once, in order').toEqual([...new Set(applied)].sort((a, b) => a - b))
  expect(answers, 'what was asked').toEqual(Array.from({ length: asks }, (_, at) => at + 1))
  expect(fates.size, 'every publish has an end').toBe(publishes)
  for (const [value, fate] of fates) {
    if (fate === 'done') expect(applied, `${value} is done`).toContain(value)
    else if (fate === 'unsent') expect(applied, `${value} is unsent`).not.toContain(value)
    else expect(fate).toBe('unknown')
  }
  if (!doesRestart) expect(applied, 'all of them').toEqual(Array.from({ length: publishes }, (_, at) => at + 1))
  client.disconnect()
  await vi.advanceTimersByTimeAsync(1000)
}

describe('in a storm', () => {
  const seeds = Array.from({ length: SEEDS }, (_, at) => FIRST + at)
  it.each(seeds)('nothing is lost, nothing comes twice (seed %i)', async (seed) => {
    await play(seed, false)
  })
  it.each(seeds)('also where the server forgets (seed %i)', async (seed) => {
    await play(seed, true)
  })
})
