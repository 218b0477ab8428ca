import { describe, expect, it, vi } from 'vitest'
import { shareOn } from '../src/share/index.ts'
import type { ShareOptions } from '../src/share/wire.ts'
import { Browser, Page } from './support/browser.ts'
import { fateOf, inVirtualTime, pass } from './support/life.ts'
import { listening, nth, subscribes, upTo, type Tab } from './support/tabs.ts'

inVirtualTime()

describe.each([['in a worker', true], ['in the leader', false]] as const)('%s', (_name, inWorker) => {
  const opened = (count: number, options: ShareOptions = {}): { browser: Browser; tabs: Tab[] } => {
    const browser = new Browser()
    return { browser, tabs: Array.from({ length: count }, () => listening(browser.open(options, inWorker))) }
  }

  it('ten tabs have one connection and one subscription, and each gets each message once', async () => {
    const { browser, tabs } = opened(10)
    await pass(200)
    expect([browser.server.connects.length, subscribes(browser).length]).toEqual([1, 1])
    for (const number of upTo(20)) browser.server.publish('news', number)
    await Promise.all([...tabs.map(({ client }, at) => client.publish('mine', at)), pass(200)])
    for (const { seen, client, events } of tabs) {
      expect([seen, events]).toEqual([upTo(20), ['subscribed']])
      expect(client.state).toMatchObject({ name: 'connected', transport: 'websocket' })
    }
    expect(browser.server.published('mine')).toHaveLength(10)
  })

  it('a tab that leaves leaves the others; with the last one the session ends at once', async () => {
    const { browser, tabs } = opened(3)
    const [one, two, three] = tabs
    await pass(200)
    one?.client.disconnect()
    expect(one?.client.state).toEqual({ name: 'disconnected', code: 0, reason: 'disconnect() was called' })
    await pass(200)
    browser.server.publish('news', 1)
    await pass(50)
    expect([one?.seen, two?.seen, three?.seen]).toEqual([[], [1], [1]])
    two?.client.disconnect()
    three?.client.disconnect()
    await pass(50)
    expect(browser.server.sessions.size).toBe(0)
    one?.client.connect()
    await pass(200)
    expect([browser.server.sessions.size, one?.events]).toEqual([1, ['subscribed', 'subscribed again recovered']])
  })

  it('the host crashes: the next one ends its session and goes on, and nobody has missed anything', async () => {
    const { browser, tabs } = opened(3)
    await pass(200)
    browser.server.publish('news', 1)
    await pass(50)
    if (inWorker) browser.crashWorker()
    else browser.crash(nth(tabs, 0).page)
    const rest = tabs.slice(inWorker ? 0 : 1)
    browser.server.publish('news', 2)
    await pass(1000)
    browser.server.publish('news', 3)
    await pass(50)
    expect(browser.server.sessions.size).toBe(1)
    for (const { seen, events } of rest) expect([seen, events]).toEqual([[1, 2, 3], ['subscribed', 'subscribed again recovered']])
  })

  it('what became of a publish is said when the host goes before its answer', async () => {
    const { browser, tabs } = opened(2)
    await pass(200)
    browser.server.knobs.answer = ({ publish }) => (publish?.data === 'sent' ? 'silence' : undefined)
    const sent = fateOf(nth(tabs, 1).client.publish('mine', 'sent'))
    await pass(50)
    if (inWorker) browser.crashWorker()
    else browser.crash(nth(tabs, 0).page)
    await pass(2)
    const later = [fateOf(nth(tabs, 1).client.publish('mine', 1)), fateOf(nth(tabs, 1).client.publish('mine', 2))]
    await pass(1000)
    // The host was gone already, but that the tab could not know.
    expect(later.map(({ current }) => current).every((fate) => fate === 'done' || fate === 'unknown 13')).toBe(true)
    expect(sent.current).toBe('unknown 13')
    await Promise.all([tabs[1]?.client.publish('mine', 3), pass(100)])
    expect(browser.server.published('mine')).toContain(3)
  })

  it('what is said to no host yet waits, up to the bound, and goes after the subscriptions', async () => {
    const browser = new Browser()
    const { client, page } = browser.open({ buffer: { commands: 3, size: 1000 } }, inWorker)
    const tab = listening({ client, page })
    const fates = upTo(4).map((number) => fateOf(client.publish('news', number)))
    expect(fates[3]?.current).toBe('pending')
    await pass(200)
    expect(fates.map(({ current }) => current)).toEqual(['done', 'done', 'done', 'unsent 10'])
    expect(tab.seen).toEqual([1, 2, 3])
  })

  it('an answer of the application, and its error, reach who asked', async () => {
    const { browser, tabs } = opened(2)
    browser.server.knobs.answer = ({ rpc }) => (rpc?.method === 'no' ? { error: { code: 108, message: 'method not found' } } : undefined)
    await pass(200)
    const { client } = nth(tabs, 1)
    const outcomes = Promise.allSettled([client.rpc('echo', 7), client.rpc('no'), client.send('hello'), client.channel('news').presence(), client.ping()])
    await pass(100)
    expect(await outcomes).toMatchObject([
      { value: 7 },
      { reason: { name: 'AntiphonError', code: 108, message: 'method not found', fate: 'refused' } },
      { status: 'fulfilled' },
      { value: [{ user: '42', connInfo: { name: 'Ann' } }] },
      { value: expect.any(Number) as number },
    ])
    expect(browser.server.done.filter(({ send }) => send !== undefined)).toHaveLength(1)
  })

  it('a server that forgets is the same to all: they recover', async () => {
    const { browser, tabs } = opened(3)
    await pass(200)
    browser.server.publish('news', 1)
    await pass(50)
    browser.server.restart()
    browser.server.publish('news', 2)
    await pass(2000)
    expect(subscribes(browser)).toHaveLength(2)
    for (const { seen, events } of tabs) expect([seen, events]).toEqual([[1, 2], ['subscribed', 'subscribed again recovered']])
  })

  it('without history all are told that there is a gap', async () => {
    const browser = new Browser()
    browser.server.knobs.hasHistory = false
    const tabs = [1, 2].map(() => listening(browser.open({}, inWorker)))
    await pass(200)
    browser.server.restart()
    await pass(2000)
    for (const { events } of tabs) expect(events).toEqual(['subscribed', 'gap', 'subscribed again'])
  })

  it('the token is asked of a tab that lives', async () => {
    const browser = new Browser()
    const asked: string[] = []
    const tokenOf = (name: string): ShareOptions => ({ token: () => `token ${asked.push(name)}` })
    browser.server.knobs.connect = { expires: true, ttl: 1000 }
    browser.server.knobs.answer = ({ refresh }) => (refresh === undefined ? undefined : { refresh: { expires: true, ttl: 1000 } })
    const [one, two] = [browser.open(tokenOf('one'), inWorker), browser.open(tokenOf('two'), inWorker)]
    await pass(200)
    expect([asked, browser.server.connects.map(({ connect }) => connect?.token)]).toEqual([['one'], ['token 1']])
    browser.crash(one.page)
    await pass(950_000)
    expect([...new Set(asked)]).toEqual(['one', 'two'])
    expect(two.client.state.name).toBe('connected')
  })

  it('options that differ are an error that says both', async () => {
    const browser = new Browser()
    const first = browser.open({ timeout: 3000 }, inWorker)
    await pass(200)
    const other = browser.open({ timeout: 4000, name: 'shop' }, inWorker)
    const separate = browser.open({ timeout: 4000, key: 'another' }, inWorker)
    await pass(200)
    expect(other.client.state).toMatchObject({ name: 'disconnected', code: 17, reason: expect.stringContaining('timeout is 3000 there and 4000 here, name is nothing there and "shop" here') as string })
    expect([first, separate].map(({ client }) => client.state.name)).toEqual(['connected', 'connected'])
    expect(browser.server.sessions.size).toBe(2)
  })

  it('a tab that sleeps gets what it missed from the history when it wakes, and costs no more than so much', async () => {
    const { browser, tabs: [awake, sleeper] } = opened(2)
    await pass(200)
    sleeper?.page.sleep()
    for (const number of upTo(8400)) {
      browser.server.publish('news', number)
      if (number % 100 === 0) await pass(4)
    }
    await pass(100)
    expect(awake?.seen).toHaveLength(8400)
    sleeper?.page.wake()
    await pass(1000)
    browser.server.publish('news', 8401)
    await pass(50)
    expect(sleeper?.seen).toEqual(upTo(8401))
    expect(sleeper?.events).toEqual(['subscribed', expect.stringMatching(/^8192 messages waited for this tab/) as string, 'subscribed again recovered'])
  }, 60_000)

  it('where the server ends it for good, all are disconnected; connect() begins anew', async () => {
    const { browser, tabs } = opened(2)
    await pass(200)
    const [session] = browser.server.sessions.values()
    session?.carrier?.close(3503, 'force disconnect')
    await pass(50)
    for (const { client } of tabs) expect(client.state).toEqual({ name: 'disconnected', code: 3503, reason: 'force disconnect' })
    for (const { client } of tabs) client.connect()
    await pass(200)
    expect(tabs.map(({ client }) => client.state.name)).toEqual(['connected', 'connected'])
  })
})

describe('a host that cannot be had', () => {
  it('a worker that does not load: a tab takes its place', async () => {
    const browser = new Browser()
    const { client } = browser.open({ worker: () => { throw new Error('blocked') } })
    await pass(200)
    expect(client.state.name).toBe('connected')
  })

  it('a worker that says nothing: the same', async () => {
    const browser = new Browser()
    const silent = (): SharedWorker => ({ port: { postMessage: () => undefined, close: () => undefined, onmessage: null }, onerror: null }) as unknown as SharedWorker
    const { client } = browser.open({ worker: silent })
    await pass(11_000)
    expect(client.state.name).toBe('connected')
  })

  it('a leader that hangs: who comes takes its place, and all go there', async () => {
    const browser = new Browser()
    const [leader, other] = [browser.open(), browser.open()].map((tab) => listening(tab))
    await pass(200)
    leader?.page.sleep()
    const newcomer = listening(browser.open())
    await pass(6000)
    browser.server.publish('news', 1)
    await pass(50)
    expect([other?.seen, newcomer.seen]).toEqual([[1], [1]])
    leader?.page.wake()
    await pass(2000)
    browser.server.publish('news', 2)
    await pass(50)
    expect([leader, other, newcomer].map((tab) => tab?.seen)).toEqual([[1, 2], [1, 2], [1, 2]])
    expect(browser.server.sessions.size).toBe(1)
  })

  it('no locks: each tab has its own connection', async () => {
    const browser = new Browser()
    const [one, two] = [1, 2].map(() => shareOn({ ...new Page(browser).platform, locks: undefined }, 'http://server', {}))
    await pass(200)
    expect([one?.state.name, two?.state.name, browser.server.sessions.size]).toEqual(['connected', 'connected', 2])
  })
})

it('a page that the browser keeps lets go of the connection and comes back', async () => {
  const handlers = new Map<string, (event: unknown) => void>()
  vi.stubGlobal('addEventListener', (name: string, handler: (event: unknown) => void) => handlers.set(name, handler))
  const browser = new Browser()
  const kept = listening(browser.open())
  await pass(200)
  vi.unstubAllGlobals()
  const other = listening(browser.open())
  await pass(200)
  handlers.get('pagehide')?.({ persisted: true })
  expect(kept.client.state).toMatchObject({ name: 'connecting', reason: 'the page rests' })
  await pass(200)
  browser.server.publish('news', 1)
  await pass(50)
  expect([other.seen, kept.seen]).toEqual([[1], []])
  handlers.get('pageshow')?.({})
  await pass(200)
  expect([kept.seen, kept.events]).toEqual([[1], ['subscribed', 'subscribed again recovered']])
  expect(browser.server.sessions.size).toBe(1)
})
