import type { Message } from '@antiphon/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { follows } from '../src/rooms/chat/follows'
import { joined, once, readMessage, type Entry, type Line } from '../src/rooms/chat/message'
import { FIRST_ROOMS, recallRooms, rememberRooms, roomName, ROOMS_LIMIT } from '../src/rooms/chat/names'
import { peopleOf } from '../src/rooms/chat/people'
import { lastOfOthers, readSignal, seenLines, typingSentence } from '../src/rooms/chat/signals'
import { throttle } from '../src/rooms/chat/throttle'
import { emptyMemory } from './memory'

const isOwn = (client: string): boolean => client === 'me'
const read = (message: Partial<Message<unknown>>): Line => readMessage({ channel: 'chat:lobby', data: null, ...message }, 1_000, isOwn)
const line = (id: string, own = false): Line => ({ kind: 'line', id, author: own ? 'Ada' : 'Bob', text: id, at: 0, isOwn: own })
const gap: Entry = { kind: 'gap', id: 'gap', at: 0 }
const ids = (entries: readonly Entry[]): string => entries.map(({ id }) => id).join(' ')

describe('rooms', () => {
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

  test('those that were opened are remembered, beside the first ones, up to a limit', () => {
    const { browser } = emptyMemory()
    expect(recallRooms(browser)).toEqual(FIRST_ROOMS)
    rememberRooms(browser, [...FIRST_ROOMS, 'garden'])
    expect(recallRooms(browser)).toEqual([...FIRST_ROOMS, 'garden'])
    rememberRooms(browser, Array.from({ length: 99 }, (_, n) => `room-${n.toString()}`))
    expect(recallRooms(browser)).toHaveLength(ROOMS_LIMIT)
  })
})

describe('anyone may publish anything', () => {
  test('the name that the server has goes before the one in the message', () => {
    const info = { client: 'x', user: '', connInfo: { name: 'Bob' } }
    expect(read({ data: { id: '1', name: 'Ada', text: 'I am Ada', at: 1 }, info })).toMatchObject({ author: 'Bob', text: 'I am Ada', isOwn: false })
  })

  test.each([
    ['hello', 'Someone: hello'],
    [{ input: 1 }, 'Someone: {"input":1}'],
    [null, 'Someone: null'],
    [[1, 2], 'Someone: [1,2]'],
    [{ id: 7, name: 8, text: 9, at: 'x' }, 'Someone: {"id":7,"name":8,"text":9,"at":"x"}'],
    [{ text: 'x'.repeat(5_000), name: 'n'.repeat(50) }, `${'n'.repeat(32)}…: ${'x'.repeat(4_000)}…`],
  ])('%o', (data, words) => {
    const { author, text } = read({ data })
    expect(`${author}: ${text}`).toBe(words)
  })

  test('the time is the author’s, else the server’s, else now', () => {
    expect([read({ data: { at: 5 }, time: 7 }).at, read({ data: { at: -5 }, time: 7 }).at, read({ data: {} }).at]).toEqual([5, 7, 1_000])
  })

  test.each([
    [{ kind: 'typing', name: 'Bob' }, { kind: 'typing', name: 'Bob' }],
    [{ kind: 'seen', id: 'a' }, { kind: 'seen', id: 'a' }],
    [{ kind: 'seen', name: 'Bob' }, undefined],
    [{ kind: 'shout', name: 'Bob', id: 'a' }, undefined],
    ['typing', undefined],
    [null, undefined],
  ])('the signal %o is %o', (data, signal) => {
    expect(readSignal(data)).toEqual(signal)
  })
})

describe('the conversation', () => {
  test('shows once what was sent again although it had arrived', () => {
    expect(ids(once([line('a'), line('b'), line('a')]))).toBe('a b')
  })

  test('after an absence: a gap where the history does not reach back, none where it does', () => {
    const past = [line('a'), line('b'), gap]
    expect(ids(joined(past, []))).toBe('a b gap')
    expect(ids(joined(past, [line('d')]))).toBe('a b gap d')
    expect(ids(joined(past, [line('b'), line('c')]))).toBe('a b c')
    expect(ids(joined([], [line('a')]))).toBe('a')
  })

  test('lines of one author in a short time share a heading', () => {
    const first = line('1')
    expect(follows(first, { ...first, at: 60_000 })).toBe(true)
    expect(follows(first, { ...first, at: 600_000 })).toBe(false)
    expect(follows(first, { ...first, author: 'Cid' })).toBe(false)
    expect(follows(first, { ...first, isOwn: true })).toBe(false)
    expect(follows(gap, first)).toBe(false)
    expect(follows(undefined, first)).toBe(false)
  })
})

describe('delivery ticks', () => {
  test('what is told of as seen is the last line of others', () => {
    expect(lastOfOthers([line('a'), line('b'), line('c', true), gap])).toBe('b')
    expect(lastOfOthers([line('c', true)])).toBeUndefined()
  })

  test('a line that was seen has shown all before it', () => {
    const lines = [line('a', true), line('b'), line('c', true), line('d', true)]
    expect([...seenLines(lines, new Set(['c']))]).toEqual(['a', 'b', 'c'])
    expect(seenLines(lines, new Set(['elsewhere'])).size).toBe(0)
  })
})

test('people are known by their names, ourselves first, tabs counted', () => {
  const info = (client: string, name?: string) => ({ client, user: '', ...(name !== undefined && { connInfo: { name } }) })
  expect(peopleOf([info('1', 'Bob'), info('2'), info('me', 'Cid'), info('3', 'Bob'), info('4')], isOwn)).toEqual([
    { name: 'Cid', tabs: 1, isOwn: true },
    { name: 'Bob', tabs: 2, isOwn: false },
    { name: 'Someone', tabs: 2, isOwn: false },
  ])
})

test('who is typing, in a sentence', () => {
  expect(['', 'A', 'A B', 'A B C'].map((names) => typingSentence(names.split(' ').filter(Boolean)))).toEqual([
    '',
    'A is typing…',
    'A and B are typing…',
    'A, B and others are typing…',
  ])
})

describe('a throttle', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('acts at once, then with the latest value when its time has come', () => {
    const acts: number[] = []
    const { call, stop } = throttle<number>(100, (value) => acts.push(value))
    for (const value of [1, 2, 3]) call(value)
    expect(acts).toEqual([1])
    vi.advanceTimersByTime(100)
    expect(acts).toEqual([1, 3])
    vi.advanceTimersByTime(1_000)
    call(4)
    call(5)
    stop()
    vi.advanceTimersByTime(1_000)
    expect(acts).toEqual([1, 3, 4])
  })
})
