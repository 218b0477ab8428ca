import { describe, expect, it } from 'vitest'
import { TRANSPORTS } from '../src/index.ts'
import { begin, fateOf, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

const upTo = (count: number): number[] => Array.from({ length: count }, (_, at) => at + 1)

describe('what becomes of a publish', () => {
  it('waits while there is no connection, and goes in order', async () => {
    const { client, network, server } = begin({ backoff: { base: 100, max: 100 } }, ({ network }) => { network.faults.isDead = true })
    const fates = upTo(50).map((value) => fateOf(client.publish('mine', value)))
    await pass(30_000)
    expect(fates.map(({ current }) => current)).toEqual(upTo(50).map(() => 'pending'))
    network.faults.isDead = false
    await pass(30_000)
    expect(server.published('mine')).toEqual(upTo(50))
    expect(new Set(fates.map(({ current }) => current))).toEqual(new Set(['done']))
  })

  it('is refused beyond the bound', async () => {
    const { client } = begin({ buffer: { commands: 3, size: 1000 } }, ({ network }) => { network.faults.isDead = true })
    const fates = upTo(4).map((value) => fateOf(client.publish('mine', value)))
    await pass(1)
    expect(fates.map(({ current }) => current)).toEqual(['pending', 'pending', 'pending', 'unsent 10'])
    await expect(client.publish('mine', 5)).rejects.toThrow(/3 commands of \d+ characters wait for the server, 3 and 1000 are the limit/)
  })

  it('is refused beyond the bound of characters', async () => {
    const { client } = begin({ buffer: { commands: 100, size: 1000 } }, ({ network }) => { network.faults.isDead = true })
    const fates = [600, 600].map((length) => fateOf(client.publish('mine', 'x'.repeat(length))))
    await pass(1)
    expect(fates.map(({ current }) => current)).toEqual(['pending', 'unsent 10'])
  })

  it('is told apart when the session is lost: sent or not', async () => {
    const { client, network, server } = begin({}, ({ server }) => {
      server.knobs.answer = (command) => (command.publish?.data === 'sent' ? 'silence' : undefined)
    })
    await pass(50)
    const sent = fateOf(client.publish('mine', 'sent'))
    const history = fateOf(client.channel('mine').history())
    await pass(50)
    network.faults.isDead = true
    network.breakAll()
    const unsent = fateOf(client.publish('mine', 'not yet'))
    server.restart()
    network.faults.isDead = false
    await pass(10_000)
    expect([sent.current, unsent.current, history.current]).toEqual(['unknown 13', 'done', 'done'])
    expect(server.published('mine')).toEqual(['not yet'])
  })

  it('is told when the client disconnects', async () => {
    const { client } = begin({}, ({ server }) => {
      server.knobs.answer = (command) => (command.publish === undefined ? undefined : 'silence')
    })
    await pass(50)
    const sent = fateOf(client.publish('mine', 1))
    client.cut()
    const unsent = fateOf(client.publish('mine', 2))
    client.disconnect()
    await pass(50)
    expect([sent.current, unsent.current]).toEqual(['unknown 12', 'unsent 12'])
  })

  it('is the word of the server', async () => {
    const { client } = begin({}, ({ server }) => {
      server.knobs.answer = ({ publish }) => (publish === undefined ? undefined : { error: { code: 103, message: 'permission denied' } })
    })
    await expect(Promise.all([client.publish('mine', 1), pass(50)])).rejects.toMatchObject({ code: 103, fate: 'refused', isTemporary: false, message: 'permission denied' })
  })

  it('takes the data as it is at the moment', async () => {
    const { client, server } = begin()
    const data = { text: 'before' }
    const published = client.publish('mine', data)
    data.text = 'after'
    await Promise.all([published, pass(50)])
    expect(server.published('mine')).toEqual([{ text: 'before' }])
  })

  it('is no JSON', async () => {
    const { client } = begin()
    await expect(client.publish('mine', 1n)).rejects.toMatchObject({ code: 14, fate: 'unsent' })
  })
})

describe('what is too large', () => {
  it('is known beforehand', async () => {
    const { client } = begin({ messageSize: 100 })
    await expect(client.publish('mine', 'é'.repeat(50))).rejects.toMatchObject({ code: 11, fate: 'unsent' })
  })

  it('over HTTP fails alone, and the rest goes on', async () => {
    const { client, network, server } = begin({ transports: ['sse'] })
    await pass(50)
    network.faults.emulation = (commands) => (JSON.stringify(commands).length > 500 ? 413 : undefined)
    const fates = [1, 'x'.repeat(600), 2, 3].map((data) => fateOf(client.publish('mine', data)))
    await pass(1000)
    expect(fates.map(({ current }) => current)).toEqual(['done', 'refused 11', 'done', 'done'])
    expect(server.published('mine')).toEqual([1, 2, 3])
  })

  it('over a WebSocket fails when the session goes on', async () => {
    const { client, server } = begin()
    await pass(50)
    const [session] = server.sessions.values()
    if (session?.carrier === undefined) throw new Error('no session')
    // The server closes at the first byte of it, and takes nothing.
    const { carrier } = session
    server.knobs.answer = undefined
    session.carrier = undefined
    const fates = ['large', 2].map((data) => fateOf(client.publish('mine', data)))
    await pass(5)
    session.carrier = carrier
    carrier.close(1009, 'too big')
    await pass(2000)
    expect(fates.map(({ current }) => current)).toEqual(['refused 11', 'done'])
    expect(server.published('mine')).toEqual([2])
  })
})

describe('commands over HTTP', () => {
  it('go together, one request at a time', async () => {
    const { client, network, server } = begin({ transports: ['sse'] }, ({ network }) => { network.faults.latency = () => 50 })
    await pass(500)
    network.posts.length = 0
    const published = Promise.all(upTo(100).map((value) => client.publish('mine', value)))
    await pass(1000)
    await published
    expect(server.published('mine')).toEqual(upTo(100))
    expect(network.posts.length).toBeLessThan(5)
  })

  it.each([429, 500, 503])('are sent again after %i', async (status) => {
    const { client, network, server } = begin({ transports: ['http_stream'] })
    await pass(50)
    const statuses = [status, status]
    network.faults.emulation = () => statuses.shift()
    await Promise.all([client.publish('mine', 1), pass(2000)])
    expect(server.published('mine')).toEqual([1])
    expect(server.connects).toHaveLength(1)
  })

  it('are sent again from the number that the server expects', async () => {
    const { client, server } = begin({ transports: ['http_stream'] })
    await pass(50)
    const [session] = server.sessions.values()
    if (session === undefined) throw new Error('no session')
    await Promise.all([client.publish('mine', 1), pass(50)])
    // The server had the next ones, and lost them.
    const take = server.take.bind(server)
    let isForgotten = false
    server.take = (to, commands) => {
      if (isForgotten) return take(to, commands)
      isForgotten = true
      return session.received + 1
    }
    await Promise.all([client.publish('mine', 2), client.publish('mine', 3), pass(50)])
    expect(server.published('mine')).toEqual([1, 2, 3])
    expect(server.connects).toHaveLength(1)
  })

  it('lead to a new session when there is none any more', async () => {
    const { client, server } = begin({ transports: ['http_stream'] })
    await pass(50)
    const [session] = server.sessions.values()
    if (session === undefined) throw new Error('no session')
    server.end(session)
    const fate = fateOf(client.publish('mine', 1))
    await pass(2000)
    expect(client.state).toMatchObject({ name: 'connected', isResumed: false })
    expect(fate.current).toBe('unknown 13')
  })
})

it.each(TRANSPORTS)('send() on %s is settled though it has no answer', async (transport) => {
  const { client, server } = begin({ transports: [transport] })
  await pass(50)
  const fate = fateOf(client.send({ a: 1 }))
  await pass(10_000)
  expect([fate.current, server.done.filter(({ send }) => send !== undefined).length]).toEqual(['done', 1])
})

it.each(TRANSPORTS)('what has arrived on %s is acknowledged after 32 messages, or a second', async (transport) => {
  const { client, server } = begin({ transports: [transport] })
  void client.channel('news').subscribe()
  await pass(3000)
  const [session] = server.sessions.values()
  if (session === undefined) throw new Error('no session')
  for (let number = 0; number < 40; number += 1) server.publish('news', number)
  await pass(50)
  expect(session.log.length).toBeLessThan(32)
  await pass(1100)
  expect(session.log).toEqual([])
})
