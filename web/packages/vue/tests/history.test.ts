import { nextTick, ref } from 'vue'
import { expect, it } from 'vitest'
import { begin, inVirtualTime, pass } from '../../client/tests/support/life.ts'
import type { FakeServer } from '../../client/tests/support/server.ts'
import { useChannel, useHistory } from '../src/index.ts'
import { inScope } from './support/mount.ts'

inVirtualTime()

function publish(server: FakeServer, from: number, to: number): void {
  for (let number = from; number <= to; number += 1) server.publish('news', number)
}

it('goes backwards, page by page, each message once while new ones come', async () => {
  const { client, server } = begin()
  publish(server, 1, 25)
  const { messages, hasMore, isLoading, loadMore } = inScope(() => useHistory<number>('news', { client, page: 10 }))
  expect([hasMore.value, isLoading.value]).toEqual([true, true])
  await pass(50)
  const data = (): number[] => messages.value.map(({ data }) => data)
  expect([data(), isLoading.value]).toEqual([[16, 17, 18, 19, 20, 21, 22, 23, 24, 25], false])
  publish(server, 26, 40)
  // Twice at once is once.
  void loadMore()
  void loadMore()
  publish(server, 41, 50)
  await pass(50)
  expect([data().length, data()[0], data().at(-1), hasMore.value]).toEqual([20, 6, 25, true])
  void loadMore()
  await pass(50)
  expect([data(), hasMore.value]).toEqual([Array.from({ length: 25 }, (_, index) => index + 1), false])
  const asked = server.done.length
  void loadMore()
  await pass(50)
  expect(server.done.length).toBe(asked)
})

it('ends where the history does', async () => {
  const { client, server } = begin()
  publish(server, 1, 12)
  const stream = server.streams.get('news')
  if (stream !== undefined) stream.first = 8
  const { messages, hasMore, loadMore } = inScope(() => useHistory('news', { client, page: 10 }))
  await pass(50)
  void loadMore()
  await pass(50)
  expect([messages.value.length, hasMore.value]).toEqual([5, false])
})

it('continues a channel to the past without a hole', async () => {
  const { client, server } = begin()
  publish(server, 1, 30)
  const { messages, older } = inScope(() => {
    const { messages, oldest } = useChannel<number>('news', { client, history: 10, keep: 15 })
    return { messages, older: useHistory<number>('news', { client, page: 10, before: oldest }) }
  })
  const all = (): number[] => [...older.messages.value, ...messages.value].map(({ data }) => data)
  await pass(50)
  expect([older.messages.value.length, older.isLoading.value]).toEqual([0, false])
  publish(server, 31, 34)
  await pass(50)
  void older.loadMore()
  await pass(50)
  expect(all()).toEqual(Array.from({ length: 24 }, (_, index) => index + 11))
  // The channel lets go of its oldest: what was before them stands alone.
  publish(server, 35, 40)
  await pass(50)
  expect([older.messages.value, all()[0], all().length]).toEqual([[], 26, 15])
  void older.loadMore()
  await pass(50)
  expect(all()).toEqual(Array.from({ length: 25 }, (_, index) => index + 16))
})

it('begins anew with another name, whatever is under way', async () => {
  const { client, server } = begin()
  publish(server, 1, 5)
  server.publish('weather', 'rain')
  const name = ref<string>()
  const { messages, loadMore } = inScope(() => useHistory(name, { client }))
  await loadMore()
  name.value = 'news'
  await nextTick()
  name.value = 'weather'
  await pass(50)
  expect(messages.value.map(({ data }) => data)).toEqual(['rain'])
  name.value = undefined
  await pass(50)
  expect(messages.value).toEqual([])
})

it('tells what failed, and asks again', async () => {
  const { client, server } = begin()
  publish(server, 1, 5)
  server.knobs.answer = ({ history }) => (history === undefined ? undefined : { error: { code: 100, message: 'internal', temporary: true } })
  const { messages, error, hasMore, isLoading, loadMore } = inScope(() => useHistory('news', { client }))
  await pass(50)
  expect([error.value, hasMore.value, isLoading.value]).toMatchObject([{ code: 100 }, true, false])
  server.knobs.answer = undefined
  void loadMore()
  await pass(50)
  expect([error.value, messages.value.length]).toEqual([undefined, 5])
})

it('of another stream begins anew', async () => {
  const { client, server } = begin()
  publish(server, 1, 25)
  const { messages, error, loadMore } = inScope(() => useHistory<number>('news', { client, page: 10 }))
  await pass(50)
  server.streams.set('news', { epoch: 'another', publications: [] })
  publish(server, 101, 103)
  void loadMore()
  await pass(50)
  expect([messages.value.map(({ data }) => data), error.value]).toEqual([[101, 102, 103], undefined])
})
