import { describe, expect, test } from 'vitest'
import type { Entry } from '../src/chat/message'
import { LOG_LIMIT, OUTBOX_LIMIT } from '../src/chat/useRoom'
import { virtualPages } from './page'

const pages = virtualPages()
const lines = (log: readonly Entry[]): string[] =>
  log.map((entry) => (entry.kind === 'gap' ? '(gap)' : `${entry.author}${entry.own ? '*' : ''}: ${entry.text}`))

describe('two tabs', () => {
  test('show the same conversation, each with its own side', async () => {
    const [ada, bob] = [pages.open('Ada'), pages.open('Bob')]
    await pages.pass(10)
    ada.openRoom().send('one')
    await pages.pass(10)
    bob.openRoom().send('two')
    await pages.pass(10)
    expect(lines(ada.openRoom().log)).toEqual(['Ada*: one', 'Bob: two'])
    expect(lines(bob.openRoom().log)).toEqual(['Ada: one', 'Bob*: two'])
    expect(ada.openRoom().outbox).toEqual([])
  })

  test('count what is unread in rooms that are not open', async () => {
    const [ada, bob] = [pages.open('Ada'), pages.open('Bob', undefined, 'garden')]
    await pages.pass(10)
    ada.openRoom().send('hello')
    await pages.pass(10)
    expect(bob.chat.rooms.get('lobby')?.unread).toBe(1)
    expect(ada.openRoom().unread).toBe(0)
    bob.chat.current.value = 'lobby'
    await pages.pass(0)
    expect(bob.openRoom().unread).toBe(0)
  })
})

describe('what could not be sent', () => {
  test('without a connection it says so at once; sent again, it arrives once', async () => {
    const [ada, bob] = [pages.open('Ada'), pages.open('Bob')]
    await pages.pass(10)
    pages.server().stop()
    await pages.pass(1)
    ada.openRoom().send('into the void')
    const id = ada.openRoom().outbox[0]?.id ?? ''
    expect(ada.openRoom().outbox).toMatchObject([{ state: 'failed', problem: 'there is no connection' }])
    pages.server().start()
    await pages.pass(5_000)
    expect(ada.openRoom().outbox).toMatchObject([{ state: 'failed' }])
    ada.openRoom().retry(id)
    await pages.pass(10)
    expect(ada.openRoom().outbox).toEqual([])
    expect(lines(bob.openRoom().log)).toEqual(['Ada: into the void'])
  })

  test.each([
    ['ignore', 'the server did not confirm it in time'],
    [{ code: 103, message: 'permission denied' }, 'the server refused it: permission denied (code 103)'],
  ] as const)('when the server answers %o', async (behaviour, problem) => {
    const { openRoom } = pages.open('Ada')
    await pages.pass(10)
    pages.server().knobs.publish = behaviour
    openRoom().send('hm')
    expect(openRoom().outbox).toMatchObject([{ state: 'sending' }])
    await pages.pass(5_010)
    expect(openRoom().outbox).toMatchObject([{ state: 'failed', problem }])
    openRoom().discard(openRoom().outbox[0]?.id ?? '')
    expect(openRoom().outbox).toEqual([])
  })

  test('when the connection closes before the answer', async () => {
    const { openRoom } = pages.open('Ada')
    await pages.pass(10)
    pages.server().knobs.publish = 'ignore'
    openRoom().send('hm')
    await pages.pass(0)
    pages.server().stop()
    await pages.pass(1)
    expect(openRoom().outbox).toMatchObject([{ state: 'failed', problem: 'the connection closed before the server confirmed it' }])
  })

  test('is bounded', () => {
    const { openRoom } = pages.open('Ada')
    for (let sent = 0; sent < OUTBOX_LIMIT; sent += 1) {
      expect(openRoom().isFull).toBe(false)
      openRoom().send('x')
    }
    expect(openRoom().isFull).toBe(true)
  })

  test('sent again although it had arrived, it is shown once', async () => {
    const [ada, bob] = [pages.open('Ada'), pages.open('Bob')]
    await pages.pass(10)
    ada.openRoom().send('once')
    await pages.pass(10)
    pages.server().push('chat:lobby', { data: pages.server().published[0], info: { client: 'client-1', user: '' } })
    await pages.pass(10)
    expect(lines(bob.openRoom().log)).toEqual(['Ada: once'])
    expect(lines(ada.openRoom().log)).toEqual(['Ada*: once'])
  })
})

describe('after an absence', () => {
  const leaveAndReturn = async (hasHistory: boolean, missed: number): Promise<string[]> => {
    const { openRoom } = pages.open('Ada')
    pages.server().knobs.hasHistory = hasHistory
    await pages.pass(10)
    pages.server().push('chat:lobby', { data: { id: 'a', name: 'Bob', text: 'before', at: 1 } })
    await pages.pass(10)
    pages.server().stop()
    for (let n = 0; n < missed; n += 1) pages.server().push('chat:lobby', { data: { id: `m${n.toString()}`, name: 'Bob', text: 'missed', at: 2 } })
    pages.server().start()
    await pages.pass(5_000)
    return lines(openRoom().log)
  }

  test('a server without history leaves a gap, and the log says so', async () => {
    expect(await leaveAndReturn(false, 1)).toEqual(['Bob: before', '(gap)'])
  })

  test('a history fills the gap', async () => {
    expect(await leaveAndReturn(true, 2)).toEqual(['Bob: before', 'Bob: missed', 'Bob: missed'])
  })

  test('a history that began anew, after a restart of the server, leaves a gap too', async () => {
    const { openRoom } = pages.open('Ada')
    pages.server().knobs.hasHistory = true
    await pages.pass(10)
    pages.server().push('chat:lobby', { data: { id: 'a', name: 'Bob', text: 'before', at: 1 } })
    await pages.pass(10)
    pages.server().stop()
    pages.server().forget()
    pages.server().push('chat:lobby', { data: { id: 'b', name: 'Bob', text: 'new', at: 2 } })
    pages.server().start()
    await pages.pass(5_000)
    expect(lines(openRoom().log)).toEqual(['Bob: before', '(gap)', 'Bob: new'])
  })

  test('a history that does not reach back leaves a gap before what it has', async () => {
    const log = await leaveAndReturn(true, 150)
    expect(log.slice(0, 3)).toEqual(['Bob: before', '(gap)', 'Bob: missed'])
    expect(log).toHaveLength(102)
  })
})

describe('anyone may publish anything', () => {
  test('the name that the server vouches for goes before the one in the message', async () => {
    const { openRoom } = pages.open('Ada')
    await pages.pass(10)
    const info = { client: 'x', user: '', conn_info: { name: 'Bob' } }
    pages.server().push('chat:lobby', { data: { id: '1', name: 'Ada', text: 'I am Ada', at: 1 }, info })
    await pages.pass(10)
    expect(lines(openRoom().log)).toEqual(['Bob: I am Ada'])
  })

  test.each([
    ['hello', 'Someone: hello'],
    [{ input: 1 }, 'Someone: {"input":1}'],
    [null, 'Someone: null'],
    [[1, 2], 'Someone: [1,2]'],
    [{ id: 7, name: 8, text: 9, at: 'x' }, 'Someone: {"id":7,"name":8,"text":9,"at":"x"}'],
    [{ text: 'x'.repeat(5_000), name: 'n'.repeat(50) }, `${'n'.repeat(32)}…: ${'x'.repeat(4_000)}…`],
  ])('%o', async (data, line) => {
    const { openRoom } = pages.open('Ada')
    await pages.pass(10)
    pages.server().push('chat:lobby', { data })
    await pages.pass(10)
    expect(lines(openRoom().log)).toEqual([line])
  })

  test('a room keeps the newest lines', async () => {
    const { openRoom } = pages.open('Ada')
    await pages.pass(10)
    for (let n = 0; n < LOG_LIMIT + 5; n += 1) pages.server().push('chat:lobby', { data: n.toString() })
    await pages.pass(100)
    expect(openRoom().log).toHaveLength(LOG_LIMIT)
    expect(lines(openRoom().log)[0]).toBe('Someone: 5')
  })
})
