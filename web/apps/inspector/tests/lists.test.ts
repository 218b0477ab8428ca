import { expect, test } from 'vitest'
import { back, cursorOf, firstPage, forward, range } from '../src/cursors'
import { filtersIn, typed } from '../src/filters'
import type { Setting } from '../src/shapes'
import { sections, shown } from '../src/settings'

test('pages forward and back go by the cursors of the server', () => {
  const first = firstPage(50)
  const third = forward(forward(first, 'b'), 'c')
  expect([first, third, back(third), back(back(third)), back(first)].map(cursorOf)).toEqual([undefined, 'c', 'b', undefined, undefined])
})

test('the range says which of how many', () => {
  const first = firstPage(50)
  expect(range(first, 50, 100_000)).toBe('1–50 of 100,000')
  expect(range(forward(first, 'b'), 7, 57)).toBe('51–57 of 57')
  expect(range(first, 0, 0)).toBe('None')
  expect(range(forward(first, 'b'), 0, 50)).toBe('0 of 50')
  // Entries came between the count and the page.
  expect(range(first, 50, 49)).toBe('1–50 of 50')
})

test.each([
  ['ada', 'ada', {}],
  ['user:ada', '', { user: 'ada' }],
  ['  js  user:ada   channel:chat:lobby ', 'js', { user: 'ada', channel: 'chat:lobby' }],
  ['user:"Ada L" x', 'x', { user: 'Ada L' }],
  ['USER:ada', '', { user: 'ada' }],
  ['transport:sse', '', { transport: 'sse' }],
  ['transport:pigeon', 'transport:pigeon', {}],
  ['transport:echo', 'transport:echo', {}],
  ['room:5 chat:lobby', 'room:5 chat:lobby', {}],
  ['user:', 'user:', {}],
  ['address:2001:db8::1', '', { address: '2001:db8::1' }],
])('%j is the words %j and the filters %j', (text, search, exact) => {
  expect(typed(text)).toEqual({ search, exact })
})

test('the address holds filters, and what is none of them is dropped', () => {
  expect(filtersIn({ search: 'a', user: 'u', transport: 'pigeon', live: 'off', client: '' })).toEqual({ search: 'a', user: 'u' })
  expect(filtersIn({ transport: 'event_source' })).toEqual({ transport: 'event_source' })
})

const setting = (key: string, value: Setting['value'], more: Partial<Setting> = {}): Setting => ({ key, value, origin: 'default', secret: false, doc: `About ${key}.`, ...more })
const SETTINGS = [
  setting('listen', ['127.0.0.1:8000'], { origin: 'flag' }),
  setting('http_api.key', '(set)', { origin: 'environment', secret: true }),
  setting('workers', 2),
  setting('http_api.path', ''),
  setting('a.b.c', null),
]
const keys = (...given: Parameters<typeof sections>): string[] => sections(...given).flatMap(({ name, settings }) => settings.map(({ key }) => `[${name}] ${key}`))

test('settings stand by sections, and are found by key, value and description', () => {
  expect(keys(SETTINGS, '', false)).toEqual(['[] listen', '[] workers', '[http_api] http_api.key', '[http_api] http_api.path', '[a.b] a.b.c'])
  expect(keys(SETTINGS, '', true)).toEqual(['[] listen', '[http_api] http_api.key'])
  expect(keys(SETTINGS, ' 8000 ', false)).toEqual(['[] listen'])
  expect(keys(SETTINGS, 'ABOUT W', false)).toEqual(['[] workers'])
})

test('a secret shows only whether it is set', () => {
  expect(SETTINGS.map(shown)).toEqual(['["127.0.0.1:8000"]', '••••••••', '2', 'empty', 'none'])
  expect(shown(setting('admin.token', '', { secret: true }))).toBe('not set')
  expect(shown(setting('admin.token', 'by mistake', { secret: true }))).not.toContain('mistake')
})
