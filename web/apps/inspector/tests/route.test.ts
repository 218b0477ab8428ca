import { expect, test } from 'vitest'
import { hashOf, routeOf } from '../src/route'

test.each([
  ['', 'overview'],
  ['#/', 'overview'],
  ['#token=secret', 'overview'],
  ['#/connections', 'connections'],
  ['#/connections/', 'connections'],
  ['#/nope', undefined],
  ['#/nodes/n1', undefined],
  ['#/channels/%E0%A4%A', undefined],
])('%s is %s', (hash, page) => {
  expect(routeOf(hash)).toMatchObject({ page })
  expect(routeOf(hash).name).toBeUndefined()
})

test.each(['chat:lobby', 'a/b', 'what?', '#5', 'é ü', '100%', '..'])('the name %s survives the address', (name) => {
  expect(routeOf(hashOf('channels', name))).toEqual({ page: 'channels', name, query: {} })
})

test('a query survives the address, without what is empty', () => {
  const hash = hashOf('connections', undefined, { search: 'ada & bob', user: '', transport: undefined, channel: 'a=b' })
  expect(hash).toBe('#/connections?search=ada+%26+bob&channel=a%3Db')
  expect(routeOf(hash)).toEqual({ page: 'connections', query: { search: 'ada & bob', channel: 'a=b' } })
})
