import { expect, test } from 'vitest'
import { NAME_LIMIT, useIdentity } from '../src/shell/identity'
import { addressOf, routeOf } from '../src/shell/route'
import { emptyMemory } from './memory'

test.each([
  ['', { room: 'chat', rest: '' }],
  ['#/chat', { room: 'chat', rest: '' }],
  ['#/chat/garden', { room: 'chat', rest: 'garden' }],
  ['#/chat/Caf%C3%A9', { room: 'chat', rest: 'Café' }],
  ['#/chat/%E0%A4%A', { room: 'chat', rest: '' }],
  ['#/notifications', { room: 'notifications', rest: '' }],
  ['#garden', { room: 'chat', rest: 'garden' }],
  ['#/nowhere', { room: 'chat', rest: 'nowhere' }],
] as const)('the address %o leads to %o', (hash, route) => {
  expect(routeOf(hash)).toEqual(route)
})

test('an address leads back to its route', () => {
  for (const route of [{ room: 'chat', rest: 'a b/c' }, { room: 'notifications', rest: '' }] as const) expect(routeOf(addressOf(route))).toEqual(route)
})

test('a name is remembered: this tab first, then any tab', () => {
  const memory = emptyMemory()
  useIdentity(memory).rename('Ada')
  const second = { tab: emptyMemory().tab, browser: memory.browser }
  expect(useIdentity(second).name.value).toBe('Ada')
  useIdentity(second).rename('Bob')
  expect(useIdentity(memory).name.value).toBe('Ada')
  expect(useIdentity(second).name.value).toBe('Bob')
})

test('a name is trimmed, cut, and never empty', () => {
  const { name, rename } = useIdentity(emptyMemory())
  expect(rename('  Ada ')).toBe(true)
  expect(name.value).toBe('Ada')
  expect([rename('   '), rename('Ada')]).toEqual([false, false])
  rename('x'.repeat(99))
  expect(name.value).toHaveLength(NAME_LIMIT)
})

test('a tab knows its former client ids after a reload, the last twenty', () => {
  const memory = emptyMemory()
  const before = useIdentity(memory)
  for (let n = 1; n <= 21; n += 1) before.isClient(`client-${n.toString()}`)
  const after = useIdentity(memory)
  expect([after.isOwn('client-1'), after.isOwn('client-2'), after.isOwn('client-21')]).toEqual([false, true, true])
  expect(useIdentity({ tab: emptyMemory().tab, browser: memory.browser }).isOwn('client-21')).toBe(false)
})
