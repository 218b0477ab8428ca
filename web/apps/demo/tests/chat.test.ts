import { expect, test } from 'vitest'
import { recallName } from '../src/chat/remember'
import { roomInHash, roomName } from '../src/chat/roomName'
import { ROOMS_LIMIT } from '../src/chat/useChat'
import { follows } from '../src/components/follows'
import { emptyMemory, virtualPages } from './page'

const pages = virtualPages()

test('a name is remembered: this tab first, then any tab', () => {
  const memory = emptyMemory()
  pages.open('Ada', memory)
  const second = { tab: emptyMemory().tab, browser: memory.browser }
  expect(recallName(second)).toBe('Ada')
  pages.open('Bob', second)
  expect(recallName(memory)).toBe('Ada')
  expect(recallName(second)).toBe('Bob')
})

test('a name is trimmed, cut, and never empty', () => {
  const { chat } = pages.open('  Ada ')
  expect(chat.name.value).toBe('Ada')
  chat.rename('   ')
  expect(chat.name.value).toBe('Ada')
  chat.rename('x'.repeat(99))
  expect(chat.name.value).toHaveLength(32)
})

test('after a reload the history shows which messages were this tab’s', async () => {
  const first = pages.open('Ada')
  pages.server().knobs.hasHistory = true
  await pages.pass(10)
  first.openRoom().send('mine')
  await pages.pass(10)
  const again = pages.open('Ada', first.memory)
  const other = pages.open('Ada')
  await pages.pass(10)
  expect(again.openRoom().log).toMatchObject([{ text: 'mine', own: true }])
  expect(other.openRoom().log).toMatchObject([{ text: 'mine', own: false }])
})

test('rooms are bounded: beyond the limit the open room stays', () => {
  const { chat } = pages.open('Ada')
  for (let n = chat.rooms.size; n < ROOMS_LIMIT; n += 1) chat.current.value = `room-${n.toString()}`
  const last = chat.current.value
  chat.current.value = 'one-too-many'
  expect(chat.current.value).toBe(last)
  expect(chat.rooms.size).toBe(ROOMS_LIMIT)
})

test.each([
  ['Garden', 'garden'],
  ['  Tea & cake! ', 'tea-cake'],
  ['Café Zürich', 'cafe-zurich'],
  ['chat:$secret#1', 'chat-secret-1'],
  ['a'.repeat(60), 'a'.repeat(40)],
  ['日本', undefined],
  ['---', undefined],
])('the room name of %o is %o', (typed, name) => {
  expect(roomName(typed)).toBe(name)
})

test.each([
  ['#garden', 'garden'],
  ['#Caf%C3%A9', 'cafe'],
  ['', undefined],
  ['#', undefined],
  ['#%E0%A4%A', undefined],
])('the address %o names the room %o', (hash, name) => {
  expect(roomInHash(hash)).toBe(name)
})

test('lines of one author in a short time share a heading', () => {
  const line = { kind: 'message', id: '1', author: 'Ada', text: '', at: 0, own: false } as const
  expect(follows(line, { ...line, at: 60_000 })).toBe(true)
  expect(follows(line, { ...line, at: 600_000 })).toBe(false)
  expect(follows(line, { ...line, author: 'Bob' })).toBe(false)
  expect(follows(line, { ...line, own: true })).toBe(false)
  expect(follows({ kind: 'gap', id: '2', at: 0 }, line)).toBe(false)
  expect(follows(undefined, line)).toBe(false)
})
