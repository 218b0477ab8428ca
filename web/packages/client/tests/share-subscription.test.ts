import { describe, expect, it } from 'vitest'
import { Browser } from './support/browser.ts'
import { fateOf, inVirtualTime, pass } from './support/life.ts'
import { listening, nth, subscribes, upTo, type Tab } from './support/tabs.ts'

inVirtualTime()

describe('a subscription that is there', () => {
  const join = async (since: number | undefined, published = 20): Promise<{ browser: Browser; late: Tab }> => {
    const browser = new Browser()
    listening(browser.open())
    await pass(200)
    for (const number of upTo(published)) browser.server.publish('news', number)
    await pass(50)
    const late = listening(browser.open(), since === undefined ? {} : { since: { offset: since, epoch: 'epoch-news' } })
    await pass(50)
    browser.server.publish('news', published + 1)
    await pass(50)
    return { browser, late }
  }

  it.each([
    ['where the stream is', undefined, 20, [21], 0],
    ['from what the host still has', 5, 20, upTo(21, 6), 0],
    ['from the history', 5, 500, upTo(501, 6), 1],
  ])('is joined %s', async (_name, since, published, seen, asked) => {
    const { browser, late } = await join(since, published)
    expect(late.seen).toEqual(seen)
    expect(late.events).toEqual([since === undefined ? 'subscribed' : 'subscribed recovered'])
    expect(subscribes(browser)).toHaveLength(1)
    expect(browser.server.done.filter(({ history }) => history !== undefined)).toHaveLength(asked)
  })

  it('is joined ahead of the host: what was loaded already does not come again', async () => {
    const browser = new Browser()
    const first = browser.open()
    listening(first)
    await pass(200)
    first.page.network.faults.latency = () => 300
    browser.server.publish('news', 1)
    browser.server.publish('news', 2)
    const late = listening(browser.open(), { since: { offset: 2, epoch: 'epoch-news' } })
    await pass(100)
    expect(late.events).toEqual(['subscribed recovered'])
    browser.server.publish('news', 3)
    await pass(1000)
    expect(late.seen).toEqual([3])
  })

  it('says that there is a gap where the history may not be read', async () => {
    const browser = new Browser()
    browser.server.knobs.answer = ({ history }) => (history === undefined ? undefined : { error: { code: 103, message: 'permission denied' } })
    listening(browser.open())
    await pass(200)
    for (const number of upTo(500)) browser.server.publish('news', number)
    await pass(50)
    const late = listening(browser.open(), { since: { offset: 5, epoch: 'epoch-news' } })
    await pass(50)
    browser.server.publish('news', 501)
    await pass(50)
    expect([late.events, late.seen]).toEqual([['gap', 'subscribed'], [501]])
  })

  it('ends at the server when the last tab has left it', async () => {
    const browser = new Browser()
    const [one, two] = [browser.open(), browser.open()].map((tab) => listening(tab))
    await pass(200)
    const channels = (): number => [...browser.server.sessions.values()][0]?.channels.size ?? -1
    one?.client.channel('news').unsubscribe()
    await pass(50)
    expect(channels()).toBe(1)
    two?.client.channel('news').unsubscribe()
    await pass(50)
    expect(channels()).toBe(0)
    void two?.client.channel('news').subscribe()
    await pass(50)
    expect(channels()).toBe(1)
  })

  it('tells who joins and leaves once a tab wants it, and only those that do', async () => {
    const browser = new Browser()
    const quiet = listening(browser.open())
    await pass(200)
    const curious = listening(browser.open(), { joinLeave: true })
    await pass(100)
    const [session] = browser.server.sessions.values()
    if (session !== undefined) browser.server.push(session, { channel: 'news', join: { info: { user: '', client: 'Bob' } } })
    browser.server.publish('news', 1)
    await pass(50)
    expect([quiet.events, curious.events]).toEqual([['subscribed'], ['subscribed', 'join Bob']])
    expect([quiet.seen, curious.seen]).toEqual([[1], [1]])
    expect(subscribes(browser)).toMatchObject([{ channel: 'news' }, { channel: 'news', join_leave: true, recover: true }])
  })

  it.each([[2000, ['subscribed', 'unsubscribed 2000']], [2500, ['subscribed', 'subscribed again recovered']]])('is ended by the server with %i for all', async (code, events) => {
    const browser = new Browser()
    const tabs = [browser.open(), browser.open()].map((tab) => listening(tab))
    await pass(200)
    const [session] = browser.server.sessions.values()
    if (session !== undefined) browser.server.push(session, { channel: 'news', unsubscribe: { code, reason: 'so' } })
    await pass(2000)
    for (const tab of tabs) expect(tab.events).toEqual(events)
  })

  it('is ended by the server while a tab still waits for the history: it comes again', async () => {
    const browser = new Browser()
    listening(browser.open())
    await pass(200)
    for (const number of upTo(500)) browser.server.publish('news', number)
    await pass(50)
    browser.server.knobs.answer = ({ history }) => (history === undefined ? undefined : 'silence')
    const late = listening(browser.open(), { since: { offset: 100, epoch: 'epoch-news' } })
    await pass(50)
    expect(late.events).toEqual([])
    const [session] = browser.server.sessions.values()
    if (session !== undefined) browser.server.push(session, { channel: 'news', unsubscribe: { code: 2500, reason: 'insufficient state' } })
    browser.server.knobs.answer = undefined
    await pass(2000)
    expect(late.events).toEqual(['subscribed recovered'])
    expect(late.seen).toEqual(upTo(500, 101))
  })

  it('loses its place while a tab still waits for the history: that one hears of the gap as well', async () => {
    const browser = new Browser()
    const first = listening(browser.open())
    await pass(200)
    for (const number of upTo(500)) browser.server.publish('news', number)
    await pass(50)
    browser.server.knobs.answer = ({ history }) => (history === undefined ? undefined : 'silence')
    const late = listening(browser.open(), { since: { offset: 100, epoch: 'epoch-news' } })
    await pass(50)
    browser.server.knobs.answer = undefined
    browser.server.streams.set('news', { epoch: 'another', publications: [] })
    const curious = listening(browser.open(), { joinLeave: true })
    await pass(2000)
    browser.server.publish('news', 'new')
    await pass(50)
    expect([first.events, late.events, curious.events]).toEqual([['subscribed', 'gap', 'subscribed again'], ['gap', 'subscribed'], ['subscribed']])
    for (const { seen } of [first, late, curious]) expect(seen.at(-1)).toBe('new')
  })

  it('that is refused is refused to each', async () => {
    const browser = new Browser()
    browser.server.knobs.answer = ({ subscribe }) => (subscribe === undefined ? undefined : { error: { code: 103, message: 'permission denied' } })
    const fates = [browser.open(), browser.open()].map(({ client }) => fateOf(client.channel('secret').subscribe()))
    await pass(500)
    expect(fates.map(({ current }) => current)).toEqual(['refused 103', 'refused 103'])
  })

  it('by the server is there for all, and goes on with another host', async () => {
    const browser = new Browser()
    browser.server.knobs.connect = { subs: { news: { recoverable: true, epoch: 'epoch-news', offset: 0 } } }
    const tabs = [browser.open(), browser.open()].map(({ page, client }) => {
      const tab: Tab = { page, client, seen: [], events: [] }
      const news = client.channel('news')
      news.on('message', ({ data }) => tab.seen.push(data))
      news.on('gap', () => tab.events.push('gap'))
      return tab
    })
    await pass(200)
    const [session] = browser.server.sessions.values()
    session?.channels.add('news')
    browser.server.publish('news', 1)
    await pass(50)
    for (const { seen } of tabs) expect(seen).toEqual([1])
    browser.server.knobs.connect = { subs: { news: { recoverable: true, recovered: true, epoch: 'epoch-news', offset: 1, publications: [{ data: 2, offset: 2 }] } } }
    browser.crash(nth(tabs, 0).page)
    await pass(1000)
    expect(browser.server.connects.at(-1)?.connect?.subs).toEqual({ news: { recover: true, offset: 1, epoch: 'epoch-news' } })
    expect([tabs[1]?.seen, tabs[1]?.events]).toEqual([[1, 2], []])
  })
})
