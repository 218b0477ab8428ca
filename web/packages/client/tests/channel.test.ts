import { describe, expect, it } from 'vitest'
import type { Channel, ChannelState } from '../src/index.ts'
import { begin, fateOf, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

function noted<T>(channel: Channel<T>): { seen: unknown[]; events: string[]; states: ChannelState[] } {
  const notes = { seen: [] as unknown[], events: [] as string[], states: [] as ChannelState[] }
  channel.on('message', ({ data }) => notes.seen.push(data))
  channel.on('gap', () => notes.events.push('gap'))
  channel.on('subscribed', ({ isAgain, isRecovered }) => notes.events.push(`subscribed ${isAgain ? 'again' : 'first'}${isRecovered ? ' recovered' : ''}`))
  channel.on('unsubscribed', ({ code }) => notes.events.push(`unsubscribed ${code}`))
  channel.on('error', ({ message }) => notes.events.push(`error ${message}`))
  channel.on('state', (state) => notes.states.push(state))
  return notes
}

describe('when the session is lost', () => {
  it.each([
    ['with history, it recovers', true, ['subscribed first', 'subscribed again recovered'], [1, 2, 3]],
    ['without history, it says that there is a gap', false, ['subscribed first', 'gap', 'subscribed again'], [1, 3]],
  ])('%s', async (_name, hasHistory, events, seen) => {
    const { client, server } = begin({}, ({ server }) => { server.knobs.hasHistory = hasHistory })
    const news = client.channel('news')
    const notes = noted(news)
    void news.subscribe()
    await pass(50)
    server.publish('news', 1)
    await pass(50)
    server.restart()
    server.publish('news', 2)
    await pass(2000)
    server.publish('news', 3)
    await pass(50)
    expect([notes.events, notes.seen]).toEqual([events, seen])
  })

  it('a history that begins anew is a gap too', async () => {
    const { client, server } = begin()
    const notes = noted(client.channel('news'))
    void client.channel('news').subscribe()
    await pass(50)
    server.restart()
    server.streams.set('news', { epoch: 'another', publications: [] })
    await pass(2000)
    expect(notes.events).toEqual(['subscribed first', 'gap', 'subscribed again'])
  })

  it('begins where it is told', async () => {
    const { client, server } = begin()
    for (const number of [1, 2, 3]) server.publish('news', number)
    const news = client.channel('news', { since: { offset: 1, epoch: 'epoch-news' } })
    const notes = noted(news)
    void news.subscribe()
    await pass(50)
    expect([notes.seen, news.position]).toEqual([[2, 3], { offset: 3, epoch: 'epoch-news' }])
  })
})

describe('subscribing', () => {
  it('and leaving, quickly and again, ends as it should', async () => {
    const { client, server } = begin()
    const news = client.channel('news')
    const notes = noted(news)
    void news.subscribe()
    news.unsubscribe()
    void news.subscribe()
    await pass(50)
    for (let round = 0; round < 5; round += 1) {
      news.unsubscribe()
      void news.subscribe()
    }
    server.publish('news', 'too early or not')
    await pass(50)
    server.publish('news', 1)
    await pass(50)
    expect(notes.seen.filter((data) => data === 1)).toEqual([1])
    expect(news.state).toBe('subscribed')
    news.unsubscribe()
    await pass(50)
    server.publish('news', 2)
    await pass(50)
    expect(notes.seen).not.toContain(2)
    expect([...server.sessions.values()][0]?.channels.size).toBe(0)
  })

  it.each([
    ['103 is final', { code: 103, message: 'permission denied' }, ['unsubscribed 103'], 'refused 103'],
    ['a temporary error is not', { code: 100, message: 'internal', temporary: true }, ['error internal', 'subscribed first'], 'done'],
    ['nor an unrecoverable position', { code: 112, message: 'unrecoverable position' }, ['error unrecoverable position', 'subscribed first'], 'done'],
  ])('%s', async (_name, error, events, outcome) => {
    const refusals = [error]
    const { client } = begin({}, ({ server }) => {
      server.knobs.answer = ({ subscribe }) => {
        const refusal = subscribe === undefined ? undefined : refusals.shift()
        return refusal === undefined ? undefined : { error: refusal }
      }
    })
    const news = client.channel('news')
    const notes = noted(news)
    const fate = fateOf(news.subscribe())
    await pass(2000)
    expect([notes.events, fate.current]).toEqual([events, outcome])
  })

  it.each([[2000, ['subscribed first', 'unsubscribed 2000'], 'unsubscribed'], [2500, ['subscribed first', 'subscribed again recovered'], 'subscribed']] as const)(
    'ended by the server with %i',
    async (code, events, state) => {
      const { client, server } = begin()
      const news = client.channel('news')
      const notes = noted(news)
      void news.subscribe()
      await pass(50)
      for (const session of server.sessions.values()) server.push(session, { channel: 'news', unsubscribe: { code, reason: 'so' } })
      await pass(2000)
      expect([notes.events, news.state]).toEqual([events, state])
    },
  )

  it('asks for another token when one has expired, and renews it', async () => {
    const tokens: string[] = []
    const { client, server } = begin({}, ({ server }) => {
      server.knobs.answer = ({ subscribe, sub_refresh }) => {
        if (subscribe?.token === 'token 1') return { error: { code: 109, message: 'token expired' } }
        if (subscribe !== undefined) return { subscribe: { expires: true, ttl: 100 } }
        return sub_refresh === undefined ? undefined : { sub_refresh: { expires: true, ttl: 1000 } }
      }
    })
    const secret = client.channel('secret', { token: () => Promise.resolve(`token ${tokens.push('')}`) })
    void secret.subscribe()
    await pass(5000)
    expect(secret.state).toBe('subscribed')
    await pass(100_000)
    const said = server.done.flatMap(({ subscribe, sub_refresh }) => subscribe?.token ?? sub_refresh?.token ?? [])
    expect(said).toEqual(['token 1', 'token 2', 'token 3'])
  })

  it('by the server is seen like one of our own', async () => {
    const { client, server } = begin({}, ({ server }) => {
      server.knobs.connect = { subs: { personal: { recoverable: true, epoch: 'epoch-personal', offset: 0 } } }
    })
    const personal = client.channel('personal')
    const notes = noted(personal)
    await pass(50)
    const [session] = server.sessions.values()
    session?.channels.add('personal')
    server.publish('personal', 1)
    await pass(50)
    expect([personal.state, notes.seen]).toEqual(['subscribed', [1]])
    server.restart()
    await pass(2000)
    expect(server.connects.at(-1)?.connect?.subs).toEqual({ personal: { recover: true, offset: 1, epoch: 'epoch-personal' } })
  })
})

describe('iterating', () => {
  it('gives each message, and leaves the channel behind as it was', async () => {
    const { client, server } = begin()
    const news = client.channel('news')
    const seen: unknown[] = []
    const reading = (async () => {
      for await (const { data } of news) {
        seen.push(data)
        if (data === 3) break
      }
    })()
    await pass(50)
    for (const number of [1, 2, 3, 4]) server.publish('news', number)
    await pass(50)
    await reading
    expect([seen, news.state]).toEqual([[1, 2, 3], 'unsubscribed'])
  })

  it('ends with the subscription, and fails where that was refused', async () => {
    const { client } = begin({}, ({ server }) => {
      server.knobs.answer = ({ subscribe }) => (subscribe?.channel === 'no' ? { error: { code: 103, message: 'permission denied' } } : undefined)
    })
    const count = async (name: string): Promise<number> => {
      let total = 0
      for await (const message of client.channel(name)) total += message.offset ?? 1
      return total
    }
    const [left, refused] = [fateOf(count('news')), fateOf(count('no'))]
    await pass(50)
    client.channel('news').unsubscribe()
    await pass(50)
    expect([left.current, refused.current]).toEqual(['done', 'refused 103'])
  })

  it('does not keep more than it may', async () => {
    const { client, server } = begin()
    for (let number = 0; number < 10_100; number += 1) server.publish('news', number)
    const messages = client.channel('news', { since: { offset: 0, epoch: 'epoch-news' } })[Symbol.asyncIterator]()
    const first = messages.next()
    await pass(50)
    expect((await first).value).toMatchObject({ data: 0 })
    const read = async (): Promise<void> => {
      for (;;) await messages.next()
    }
    await expect(read()).rejects.toMatchObject({ code: 16 })
  })
})

it('hands over only what the check takes', async () => {
  const { client, server } = begin()
  const news = client.channel('news', {
    check: (data) => {
      if (typeof data !== 'number') throw new TypeError(`${String(data)} is no number`)
      return data * 10
    },
  })
  const notes = noted(news)
  void news.subscribe()
  await pass(50)
  for (const data of [1, 'two', 3]) server.publish('news', data)
  await pass(50)
  expect([notes.seen, notes.events]).toEqual([[10, 30], ['subscribed first', 'error two is no number']])
})

it('a listener that throws hinders nobody', async () => {
  const thrown: unknown[] = []
  const note = (error: unknown): void => { thrown.push(error) }
  // Vitest listens as well, and would call it a failure.
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.on('uncaughtException', note)
  const { client, server } = begin()
  const news = client.channel('news')
  news.on('message', () => { throw new Error('of the application') })
  const notes = noted(news)
  void news.subscribe()
  await pass(50)
  server.publish('news', 1)
  await pass(50)
  process.off('uncaughtException', note)
  for (const other of others) process.on('uncaughtException', other)
  expect([notes.seen, thrown]).toEqual([[1], [new Error('of the application')]])
})
