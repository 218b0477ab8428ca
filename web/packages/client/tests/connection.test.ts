import { describe, expect, it, vi } from 'vitest'
import { TRANSPORTS, type TransportName } from '../src/index.ts'
import { begin, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

describe('which transport', () => {
  it.each([
    [[], [], 'websocket', 100],
    [['websocket'], [], 'http_stream', 100],
    [['websocket', 'http_stream'], [], 'sse', 100],
    [['websocket', 'http_stream', 'sse'], [], 'poll', 100],
    [[], ['websocket'], 'http_stream', 5100],
    [['websocket'], ['http_stream', 'sse'], 'poll', 5100],
    // Where it is wrong about that, it finds out later.
    [['websocket'], ['http_stream'], 'sse', 240_000],
  ] as const)('without %j, and with %j silent, it is on %s', async (blocked, mute, expected, within) => {
    const { client } = begin({}, ({ network }) => {
      for (const name of blocked) network.faults.blocked.add(name)
      for (const name of mute) network.faults.mute.add(name)
    })
    await pass(within)
    expect(client.state).toMatchObject({ name: 'connected', transport: expected })
  })

  it('has no WebSocket where the platform has none', async () => {
    vi.stubGlobal('WebSocket', undefined)
    const { client, network } = begin({ WebSocket: undefined as unknown as typeof WebSocket })
    await pass(100)
    expect(client.state).toMatchObject({ transport: 'http_stream' })
    expect(network.tried).toEqual(['http_stream'])
  })

  it('finds out that commands do not get through', async () => {
    const { client } = begin({ transports: ['sse', 'websocket'] }, ({ network }) => {
      network.faults.emulation = () => 403
    })
    await pass(200)
    expect(client.state).toMatchObject({ transport: 'websocket' })
  })

  it('begins with what worked', async () => {
    const { client, network } = begin({}, ({ network }) => network.faults.blocked.add('websocket'))
    await pass(100)
    network.tried.length = 0
    network.breakAll()
    await pass(600)
    expect(client.state).toMatchObject({ name: 'connected', transport: 'http_stream', isResumed: true })
    expect(network.tried).toEqual(['http_stream'])
  })

  it.each(['http_stream', 'sse', 'poll'] as const)('goes from %s to a better one, beside it, when there is one', async (transport) => {
    const { client, network, server } = begin({ upgradeAfter: 10_000 }, ({ network }) => {
      for (const name of TRANSPORTS) if (name !== transport) network.faults.blocked.add(name)
    })
    const states: string[] = []
    await pass(1000)
    expect(client.state).toMatchObject({ transport })
    client.on('state', ({ name }) => states.push(name))
    await pass(120_000)
    expect(client.state).toMatchObject({ transport })
    network.faults.blocked.clear()
    await pass(900_000)
    expect(client.state).toMatchObject({ transport: 'websocket', isResumed: true })
    expect(new Set(states)).toEqual(new Set(['connected']))
    expect(server.sessions.size).toBe(1)
  })

  it('waits for leave when all are forbidden', async () => {
    const { client, errors } = begin()
    await pass(50)
    for (const name of TRANSPORTS) client.forbid(name)
    await pass(60_000)
    expect(client.state.name).toBe('connecting')
    expect(errors.at(-1)?.message).toContain('forbidden')
    client.allow('poll')
    await pass(50)
    expect(client.state).toMatchObject({ name: 'connected', transport: 'poll', isResumed: false })
  })
})

describe('a network that is dead', () => {
  it.each(TRANSPORTS)('is noticed within 10 s on %s, and what is said meanwhile is not lost', async (transport) => {
    const { client, network, server } = begin({ transports: [transport] })
    const seen: unknown[] = []
    const news = client.channel('news')
    news.on('message', ({ data }) => seen.push(data))
    void news.subscribe()
    await pass(17_000)
    expect(client.state.name).toBe('connected')
    network.faults.isDead = true
    await pass(1)
    server.publish('news', 'meanwhile')
    const mine = client.publish('mine', 'too')
    await pass(9999)
    expect(client.state.name).toBe('connecting')
    network.faults.isDead = false
    await pass(25_000)
    await mine
    expect(seen).toEqual(['meanwhile'])
    expect(server.published('mine')).toEqual(['too'])
    expect(client.state).toMatchObject({ name: 'connected', isResumed: true })
  })

  it.each(TRANSPORTS)('is not suspected on %s as long as it answers', async (transport) => {
    const { client, network, server } = begin({ transports: [transport] })
    await pass(600_000)
    expect(client.state.name).toBe('connected')
    expect(network.tried.filter((name) => name !== 'poll').length).toBeLessThan(2)
    expect(server.connects).toHaveLength(1)
  })

  it.each(['online', 'offline', 'pageshow', 'visibilitychange'])('is noticed sooner at %s', async (name) => {
    const page = new EventTarget()
    const document = Object.assign(new EventTarget(), { visibilityState: 'visible', baseURI: 'http://server/' })
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('document', document)
    const { client, network } = begin()
    await pass(1000)
    network.faults.isDead = true
    ;(name === 'visibilitychange' ? document : page).dispatchEvent(new Event(name))
    await pass(3100)
    expect(client.state.name).toBe('connecting')
    // And the next attempt does not wait.
    network.faults.isDead = false
    await pass(200_000)
    expect(client.state.name).toBe('connected')
  })

  it('is tried at once when it is back', async () => {
    const page = new EventTarget()
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    const { client, network } = begin({ backoff: { base: 1_000_000, max: 1_000_000 } }, ({ network }) => {
      for (const name of TRANSPORTS) network.faults.blocked.add(name)
    })
    await pass(10_000)
    expect(client.state).toMatchObject({ name: 'connecting' })
    network.faults.blocked.clear()
    page.dispatchEvent(new Event('online'))
    await pass(50)
    expect(client.state).toMatchObject({ name: 'connected', transport: 'websocket' })
  })

  it('leaves a hidden page alone where the server pings', async () => {
    vi.stubGlobal('document', Object.assign(new EventTarget(), { visibilityState: 'hidden', baseURI: 'http://server/' }))
    const { server } = begin({}, ({ server }) => { server.knobs.ping = 25 })
    await pass(30_000)
    expect(server.done).toEqual([])
  })
})

describe('the server ends it', () => {
  const codes = [[3000, 'connected'], [3010, 'connected'], [3500, 'disconnected'], [3999, 'disconnected'], [4000, 'connected'], [4500, 'disconnected']] as const
  it.each(TRANSPORTS.flatMap((transport) => codes.map(([code, then]) => [transport, code, then] as const)))('on %s with %i: then it is %s', async (transport, code, then) => {
    const { client, server } = begin({ transports: [transport] })
    await pass(50)
    const [session] = server.sessions.values()
    if (session === undefined) throw new Error('no session')
    const { carrier } = session
    server.end(session)
    carrier?.close(code, 'so')
    await pass(1000)
    expect(client.state).toMatchObject(then === 'connected' ? { name: then, isResumed: false } : { name: then, code, reason: 'so' })
  })

  it('says when to come back', async () => {
    const { client, server } = begin()
    await pass(50)
    const [session] = server.sessions.values()
    if (session === undefined) throw new Error('no session')
    const { carrier } = session
    server.end(session)
    carrier?.write({ push: { disconnect: { code: 3001, reason: 'shutdown', reconnect_after_ms: 7000 } } })
    await pass(6990)
    expect(client.state).toMatchObject({ name: 'connecting', reason: 'shutdown' })
    await pass(100)
    expect(client.state.name).toBe('connected')
  })
})

describe('disconnect()', () => {
  it.each(TRANSPORTS)('ends the session at once on %s', async (transport) => {
    const { client, network, server } = begin({ transports: [transport] })
    await pass(50)
    client.disconnect()
    await pass(5)
    expect(server.sessions.size).toBe(0)
    if (transport === 'websocket') expect(network.socketCloses).toEqual([1000])
    expect(client.state).toMatchObject({ name: 'disconnected', code: 0 })
    await pass(100_000)
    expect(server.connects).toHaveLength(1)
  })

  it('ends it also while there is no transport', async () => {
    const { client, network, server } = begin({ backoff: { base: 100_000, max: 100_000 } })
    await pass(50)
    network.breakAll()
    await pass(5)
    expect(server.sessions.size).toBe(1)
    client.disconnect()
    await pass(5)
    expect(server.sessions.size).toBe(0)
  })

  it('lets go of other transports so that the session goes on', async () => {
    const { client, network, server } = begin()
    await pass(50)
    client.forbid('websocket')
    await pass(50)
    expect(network.socketCloses).toEqual([4000])
    expect(client.state).toMatchObject({ transport: 'http_stream', isResumed: true })
    expect(server.sessions.size).toBe(1)
  })

  it('tells a beacon when the page is left', async () => {
    const page = new EventTarget()
    const beacons: unknown[] = []
    vi.stubGlobal('addEventListener', page.addEventListener.bind(page))
    vi.stubGlobal('navigator', { sendBeacon: (url: string, body: string) => beacons.push([url, JSON.parse(body)]) > 0 })
    const { client } = begin({ transports: ['sse'] })
    await pass(50)
    page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: true }))
    expect([client.state.name, beacons]).toEqual(['connected', []])
    page.dispatchEvent(Object.assign(new Event('pagehide'), { persisted: false }))
    expect(beacons).toEqual([['http://server/emulation', { session: 'secret-1', node: 'node', close: true }]])
  })

  it('is undone by connect()', async () => {
    const { client, server } = begin()
    const seen: unknown[] = []
    const news = client.channel('news')
    news.on('message', ({ data }) => seen.push(data))
    void news.subscribe()
    await pass(50)
    client.disconnect()
    await pass(50)
    server.publish('news', 'missed')
    client.connect()
    await pass(50)
    expect([client.state.name, news.state, seen]).toEqual(['connected', 'subscribed', ['missed']])
  })
})

it('waits longer each time, at random', async () => {
  const { client } = begin({ transports: ['websocket'], random: () => 1, backoff: { base: 1000, max: 8000 } }, ({ network }) => network.faults.blocked.add('websocket'))
  const waits: number[] = []
  client.on('state', (state) => {
    if (state.name === 'connecting' && state.retryAt !== undefined) waits.push(state.retryAt - Date.now())
  })
  await pass(40_000)
  expect(waits.slice(0, 5)).toEqual([1000, 2000, 4000, 8000, 8000])
})

it('speaks with a server that knows no sessions', async () => {
  for (const transport of ['websocket', 'http_stream', 'sse'] satisfies TransportName[]) {
    const { client, server, network } = begin({ transports: [transport] }, ({ server }) => { server.knobs.hasSessions = false })
    await pass(100)
    await Promise.all([client.publish('mine', 1), client.publish('mine', 2), pass(50)])
    expect(server.published('mine')).toEqual([1, 2])
    expect(server.done.every(({ n, ack }) => n === undefined && ack === undefined)).toBe(true)
    network.breakAll()
    await pass(1000)
    expect(client.state).toMatchObject({ name: 'connected', isResumed: false })
  }
})
