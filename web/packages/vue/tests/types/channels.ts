/** What the compiler says in an application that declares its channels. It is checked, not run. */
import type { Message } from '@antiphon/client'
import { useChannel, useClient, useHistory, usePresence } from '@antiphon/vue'
import { expectTypeOf } from 'vitest'
import { computed, ref } from 'vue'

declare module '@antiphon/vue' {
  interface Register {
    channels: { alerts: { level: number }; [chat: `chat:${string}`]: { text: string } }
  }
}

const room = ref('lobby')
const alerts = useChannel('alerts', { history: 10, onMessage: (message) => { expectTypeOf(message.data).toEqualTypeOf<{ level: number }>() } })
expectTypeOf(alerts.messages.value).toEqualTypeOf<readonly Message<{ level: number }>[]>()
expectTypeOf(alerts.publish).parameter(0).toEqualTypeOf<{ level: number }>()

const chat = useChannel(() => `chat:${room.value}` as const)
expectTypeOf(chat.messages.value).toEqualTypeOf<readonly Message<{ text: string }>[]>()
const older = useHistory(computed(() => `chat:${room.value}` as const), { before: chat.oldest })
expectTypeOf(older.messages.value).toEqualTypeOf<readonly Message<{ text: string }>[]>()

expectTypeOf(useChannel<number>('alerts').messages.value).toEqualTypeOf<readonly Message<number>[]>()

const highest = useChannel('alerts', {
  load: () => Promise.resolve({ state: { highest: 0 }, position: { offset: 0, epoch: '' } }),
  reduce: ({ highest }, { data }) => ({ highest: Math.max(highest, data.level) }),
})
expectTypeOf(highest.value.value).toEqualTypeOf<{ highest: number } | undefined>()

usePresence(() => (room.value === '' ? undefined : 'chat:lobby'))
// @ts-expect-error -- there is no such channel
useChannel('alrets')
// @ts-expect-error -- nor here
usePresence('alrets')
void useClient().publish('alerts', { level: 1 })
// @ts-expect-error -- this is not what alerts are
void useClient().publish('alerts', { text: 'no' })
