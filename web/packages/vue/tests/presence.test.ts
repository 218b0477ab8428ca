import type { ClientInfo } from '@antiphon/client'
import { describe, expect, it } from 'vitest'
import { begin, inVirtualTime, pass, type Life } from '../../client/tests/support/life.ts'
import { Random } from '../../client/tests/support/random.ts'
import { usePresence } from '../src/index.ts'
import { inScope } from './support/mount.ts'

inVirtualTime()

/** Who is in the room, as the server has it; it tells everybody who comes and goes. */
function people({ server }: Pick<Life, 'server'>) {
  const there = new Map<string, string>()
  server.knobs.answer = ({ presence }) =>
    presence === undefined ? undefined : { presence: { presence: Object.fromEntries([...there].map(([client, user]) => [client, { client, user }])) } }
  const tell = (push: { join?: object; leave?: object }): void => {
    for (const session of server.sessions.values()) if (session.channels.has('room')) server.push(session, { channel: 'room', ...push })
  }
  return {
    there,
    join(client: string, user = client) {
      there.set(client, user)
      tell({ join: { info: { client, user } } })
    },
    leave(client: string) {
      const user = there.get(client) ?? ''
      there.delete(client)
      tell({ leave: { info: { client, user } } })
    },
  }
}

const names = (members: readonly ClientInfo[]): string => members.map(({ client }) => client).sort().join('')

it('is the list, and who joins and leaves', async () => {
  const life = begin()
  const room = people(life)
  room.join('a', 'ann')
  room.join('b', 'ann')
  const { members, count, users } = inScope(() => usePresence('room', { client: life.client }))
  await pass(50)
  expect([names(members.value), count.value, users.value]).toEqual(['ab', 2, 1])
  room.join('c', 'bob')
  room.leave('a')
  await pass(50)
  expect([names(members.value), count.value, users.value]).toEqual(['bc', 2, 2])
})

describe('whatever happens while the list is asked for', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('it is right in the end (%i)', async (seed) => {
    const random = new Random(seed)
    const life = begin({}, ({ network }) => { network.faults.latency = () => random.between(1, 20) })
    const room = people(life)
    const change = (): void => {
      const client = random.pick(['a', 'b', 'c', 'd'])
      if (room.there.has(client)) room.leave(client)
      else room.join(client)
    }
    for (let count = 0; count < 5; count += 1) change()
    const { members } = inScope(() => usePresence('room', { client: life.client }))
    for (let count = 0; count < 60; count += 1) {
      await pass(random.between(0, 4))
      if (random.chance(0.03)) life.server.restart()
      else change()
    }
    await pass(10_000)
    expect(names(members.value)).toBe([...room.there.keys()].sort().join(''))
  })
})

it('is asked for again in a new session, which tells nothing of what was', async () => {
  const life = begin()
  const room = people(life)
  room.join('a')
  const { members } = inScope(() => usePresence('room', { client: life.client }))
  await pass(50)
  life.server.restart()
  room.leave('a')
  room.join('b')
  await pass(5000)
  expect(names(members.value)).toBe('b')
})

it('says why there is none', async () => {
  const life = begin({}, ({ server }) => {
    server.knobs.answer = ({ presence }) => (presence === undefined ? undefined : { error: { code: 108, message: 'not available' } })
  })
  const { members, error } = inScope(() => usePresence('room', { client: life.client }))
  await pass(50)
  expect([members.value, error.value]).toMatchObject([[], { code: 108 }])
})

it('is nobody where the subscription has ended', async () => {
  const life = begin()
  const room = people(life)
  room.join('a')
  const { members, error } = inScope(() => usePresence('room', { client: life.client }))
  await pass(50)
  for (const session of life.server.sessions.values()) life.server.push(session, { channel: 'room', unsubscribe: { code: 2000, reason: 'closed' } })
  await pass(50)
  expect([members.value, error.value]).toMatchObject([[], { code: 2000, message: 'Not subscribed to room: closed' }])
})
