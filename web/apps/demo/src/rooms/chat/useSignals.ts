import { useChannel, useConnection } from '@antiphon/vue'
import { computed, onScopeDispose, shallowReactive, shallowRef, watch, type Ref } from 'vue'
import type { Identity } from '../../shell/identity'
import { signalsOf } from './names'
import { readSignal, type Signal } from './signals'
import { throttle } from './throttle'

/** So long somebody counts as typing after having said so, and half as long until it is said again. */
const TYPING_MS = 4_000
const SEEN_EVERY_MS = 1_000
/** A room that is opened learns what was seen from so many signals before. */
const HISTORY = 100
/** Of so many readers it is known what they have seen. */
const READERS_KEPT = 200

/** Who is typing in a room, and what its readers have seen. */
export function useSignals(room: Readonly<Ref<string>>, { name, isOwn }: Identity) {
  const { client, isConnected } = useConnection()
  const typing = shallowReactive(new Map<string, string>())
  const timers = new Map<string, ReturnType<typeof setTimeout>>()
  const channel = computed(() => signalsOf(room.value))
  const { messages } = useChannel<unknown>(channel, {
    history: HISTORY,
    keep: HISTORY,
    onMessage: ({ data, info }) => {
      const signal = readSignal(data)
      if (signal?.kind !== 'typing' || info === undefined || isOwn(info.client)) return
      typing.set(info.client, signal.name)
      clearTimeout(timers.get(info.client))
      timers.set(info.client, setTimeout(() => { stopped(info.client) }, TYPING_MS))
    },
  })
  const told = shallowReactive(new Map<string, string>())
  watch(messages, (signals) => {
    for (const { data, info } of signals) {
      const signal = readSignal(data)
      if (signal?.kind === 'seen' && info !== undefined && !isOwn(info.client) && (told.size < READERS_KEPT || told.has(info.client))) told.set(info.client, signal.id)
    }
  })

  /** They have sent what they typed. */
  function stopped(client: string): void {
    clearTimeout(timers.get(client))
    timers.delete(client)
    typing.delete(client)
  }

  /** Signals that cannot be sent now are not worth sending later. */
  function say(signal: Signal): void {
    if (isConnected.value) client.publish(channel.value, signal).catch(() => undefined)
  }

  const sayTyping = throttle(TYPING_MS / 2, () => { say({ kind: 'typing', name: name.value }) })
  const saySeen = throttle(SEEN_EVERY_MS, (id: string) => { say({ kind: 'seen', id }) })
  const last = shallowRef<string>()
  function quiet(): void {
    sayTyping.stop()
    saySeen.stop()
    for (const client of timers.keys()) stopped(client)
    last.value = undefined
    told.clear()
  }
  watch(room, quiet)
  onScopeDispose(quiet)

  return {
    typing: computed(() => [...new Set(typing.values())]),
    /** Ids of lines that others have told of. */
    told: computed(() => new Set(told.values())),
    stopped,
    isTyping: (): void => { sayTyping.call(undefined) },
    /** This line of somebody else is on the screen. */
    hasSeen: (id: string): void => {
      if (id === last.value) return
      last.value = id
      saySeen.call(id)
    },
  }
}
