import { effectScope, ref } from 'vue'
import { expect, it } from 'vitest'
import { begin, inVirtualTime, pass } from '../../client/tests/support/life.ts'
import { useChannel, usePresence, useConnection, useHistory } from '../src/index.ts'
inVirtualTime()
it('works', async () => {
  const { client, server } = begin()
  server.publish('news', 1)
  server.publish('news', 2)
  const scope = effectScope()
  const name = ref<string | undefined>('news')
  const made = scope.run(() => ({ ch: useChannel<number>(name, { client, history: 1 }), p: usePresence(name, { client }), c: useConnection({ client }), h: useHistory(name, { client }) }))
  expect(made?.c.lag.value).toBeUndefined()
  await pass(100)
  server.publish('news', 3)
  await pass(100)
  expect([made?.ch.messages.value.map((m) => m.data), made?.p.members.value.length, made?.c.transport.value, made?.c.lag.value, made?.h.messages.value.length]).toEqual([[2, 3], 1, 'websocket', 2, 2])
  scope.stop()
  await pass(2000)
  expect(client.channel('news').state).toBe('unsubscribed')
})
