import { createSSRApp, defineComponent, h } from 'vue'
import { renderToString } from 'vue/server-renderer'
import { expect, it, vi } from 'vitest'
import { begin, inVirtualTime } from '../../client/tests/support/life.ts'
import { createAntiphon, useChannel, useConnection, useHistory, usePresence } from '../src/index.ts'

inVirtualTime()

const Page = defineComponent({
  setup() {
    const { messages, isLoading, state } = useChannel('news', { load: () => Promise.reject(new Error('the server loads nothing')) })
    const { members } = usePresence('news')
    const { messages: older, isLoading: isOlder } = useHistory('news')
    const { state: connection, lag } = useConnection()
    return () => h('p', JSON.stringify([messages.value, isLoading.value, state.value, members.value, older.value, isOlder.value, connection.value.name, lag.value ?? null]))
  },
})

const PAGE = '<p>[[],true,&quot;unsubscribed&quot;,[],[],false,&quot;connecting&quot;,null]</p>'

it.each(['/', () => { throw new Error('nobody connects here') }])('a server renders what a page begins with, and does nothing', async (source) => {
  const used: string[] = []
  vi.stubGlobal('fetch', () => used.push('fetch'))
  vi.stubGlobal('WebSocket', function () { used.push('WebSocket') })
  const antiphon = createAntiphon(source)
  const app = createSSRApp(Page)
  app.use(antiphon)
  expect(await renderToString(app)).toBe(PAGE)
  expect([vi.getTimerCount(), used, antiphon.client.state.name]).toEqual([0, [], 'disconnected'])
})

it('nor does it with a client that is connected', async () => {
  const { client, server } = begin()
  const timers = vi.getTimerCount()
  const app = createSSRApp(Page)
  app.use(createAntiphon(client))
  expect(await renderToString(app)).toBe(PAGE)
  expect([vi.getTimerCount(), server.done]).toEqual([timers, []])
})

it('a wrong URL is told there as well', () => {
  expect(() => createAntiphon('mailto:nobody')).toThrow('mailto:nobody is no URL of http, https, ws or wss')
})
