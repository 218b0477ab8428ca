import { h, KeepAlive, nextTick, ref, type Component } from 'vue'
import { expect, it } from 'vitest'
import type { FakeServer } from '../../client/tests/support/server.ts'
import { begin, inVirtualTime, pass } from '../../client/tests/support/life.ts'
import { useChannel, usePresence } from '../src/index.ts'
import { inScope, mount, of } from './support/mount.ts'

inVirtualTime()

/** The subscriptions that were asked for and left, in order. */
function asked({ done }: FakeServer): string[] {
  return done.flatMap(({ subscribe, unsubscribe }) => {
    if (subscribe !== undefined) return `${subscribe.join_leave === true ? 'join_leave ' : ''}+${subscribe.channel}`
    return unsubscribe === undefined ? [] : `-${unsubscribe.channel}`
  })
}

it('a component that mounts, unmounts and mounts again has one subscription', async () => {
  const { client, server } = begin()
  const news = of(() => { useChannel('news') })
  for (let round = 0; round < 5; round += 1) {
    mount(client, news).unmount()
    await pass(round * 100)
  }
  const app = mount(client, news)
  await pass(5000)
  expect(asked(server)).toEqual(['+news'])
  app.unmount()
  await pass(900)
  expect(asked(server)).toEqual(['+news'])
  await pass(200)
  expect(asked(server)).toEqual(['+news', '-news'])
})

it('one that is gone before anything was asked asks nothing', async () => {
  const { client, server } = begin()
  await pass(50)
  mount(client, of(() => { useChannel('news') })).unmount()
  await pass(5000)
  expect(asked(server)).toEqual([])
})

it('two components share a subscription until the last of them leaves', async () => {
  const { client, server } = begin()
  const seen: unknown[] = []
  const [one, two] = ['one', 'two'].map((name) => mount(client, of(() => { useChannel('news', { onMessage: ({ data }) => seen.push(`${name} ${String(data)}`) }) })))
  await pass(50)
  server.publish('news', 1)
  await pass(50)
  one?.unmount()
  await pass(5000)
  server.publish('news', 2)
  await pass(50)
  two?.unmount()
  await pass(5000)
  expect([asked(server), seen]).toEqual([['+news', '-news'], ['one 1', 'two 1', 'two 2']])
})

it('what one component needs is asked for together', async () => {
  const { client, server } = begin()
  mount(client, of(() => {
    useChannel('news')
    usePresence('news')
  }))
  await pass(50)
  expect(asked(server)).toEqual(['join_leave +news'])
})

it('join and leave that are wanted later come without a gap', async () => {
  const { client, server } = begin()
  const gaps: string[] = []
  const { messages } = inScope(() => useChannel('news', { client, history: 10, onGap: () => gaps.push('gap') }))
  await pass(50)
  server.publish('news', 1)
  inScope(() => usePresence('news', { client }))
  for (const number of [2, 3, 4, 5, 6]) {
    server.publish('news', number)
    await pass(1)
  }
  await pass(50)
  expect([asked(server), messages.value.map(({ data }) => data), gaps]).toEqual([['+news', '-news', 'join_leave +news'], [1, 2, 3, 4, 5, 6], []])
})

it('follows a name that changes, and needs none', async () => {
  const { client, server } = begin()
  const name = ref<string>()
  const { messages, state, publish, channel } = inScope(() => useChannel(name, { client }))
  await pass(50)
  expect([asked(server), state.value, channel.value]).toEqual([[], 'unsubscribed', undefined])
  await expect(publish(1)).rejects.toThrow('undefined')

  name.value = 'a'
  await pass(50)
  server.publish('a', 1)
  await pass(50)
  expect([messages.value.map(({ data }) => data), state.value, channel.value?.name]).toEqual([[1], 'subscribed', 'a'])

  name.value = 'b'
  await nextTick()
  expect(messages.value).toEqual([])
  server.publish('a', 2)
  server.publish('b', 3)
  await pass(50)
  void publish(4)
  await pass(50)
  expect(messages.value.map(({ channel, data }) => [channel, data])).toEqual([['b', 4]])

  name.value = undefined
  await pass(5000)
  expect([asked(server), messages.value, state.value]).toEqual([['+a', '+b', '-a', '-b'], [], 'unsubscribed'])
})

it('there and back is where it was', async () => {
  const { client, server } = begin()
  const name = ref('a')
  const { messages } = inScope(() => useChannel(name, { client, history: 10 }))
  await pass(50)
  for (const next of ['b', 'a', 'b', 'a']) {
    server.publish('a', next)
    name.value = next
    await pass(3)
  }
  await pass(50)
  expect(messages.value.map(({ offset }) => offset)).toEqual([1, 2, 3, 4])
})

it('a page that is kept alive stays subscribed', async () => {
  const { client, server } = begin()
  const seen: unknown[] = []
  const pages: Component[] = [of(() => { useChannel('news', { onMessage: ({ data }) => seen.push(data) }) }), of(() => undefined)]
  const page = ref(0)
  mount(client, { render: () => h(KeepAlive, () => h(pages[page.value] ?? 'p', { key: page.value })) })
  await pass(50)
  for (const next of [1, 0, 1, 0]) {
    page.value = next
    await pass(5000)
    server.publish('news', next)
  }
  await pass(50)
  expect([asked(server), seen]).toEqual([['+news'], [1, 0, 1, 0]])
})

it('leaves alone what the application has subscribed to by itself', async () => {
  const { client, server } = begin()
  void client.channel('news').subscribe()
  const app = mount(client, of(() => { useChannel('news') }))
  await pass(50)
  app.unmount()
  await pass(5000)
  expect([asked(server), client.channel('news').state]).toEqual([['+news'], 'subscribed'])
})

it('a refusal is told, and can be asked again', async () => {
  let isOpen = false
  const { client, server } = begin({}, ({ server }) => {
    server.knobs.answer = ({ subscribe }) => (subscribe !== undefined && !isOpen ? { error: { code: 103, message: 'permission denied' } } : undefined)
  })
  server.publish('news', 1)
  const { error, state, messages, isLoading, reload } = inScope(() => useChannel('news', { client, history: 10 }))
  await pass(50)
  expect([error.value, state.value, isLoading.value]).toMatchObject([{ code: 103 }, 'unsubscribed', false])
  isOpen = true
  reload()
  await pass(50)
  expect([error.value, state.value, messages.value.length]).toEqual([undefined, 'subscribed', 1])
})

it('without a client it says what to do', () => {
  expect(() => inScope(() => useChannel('news'))).toThrow('app.use(createAntiphon(url))')
})
