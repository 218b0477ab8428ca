import type { Message } from '@antiphon/client'
import { useChannel } from '@antiphon/vue'
import { computed, shallowRef, watch, type Ref } from 'vue'
import { useNote } from '../../panel/useJournal'
import type { Identity } from '../../shell/identity'
import { channelOf } from './names'
import { joined, once, randomId, readMessage, type Entry, type Line } from './message'
import { LATEST, usePages } from './usePages'

/** What is said in a room: the rows that are on the screen, as they come or from the history. */
export function useConversation(room: Readonly<Ref<string>>, { isOwn }: Identity, hasCome: (line: Line, client: string) => void) {
  const note = useNote()
  /** Each message is read once, and is the same line in every frame. */
  const lines = new WeakMap<Message<unknown>, Line>()
  /** What stood here before the last gap, and the gap. */
  const past = shallowRef<readonly Entry[]>([])

  const { messages, isLoading, error, channel } = useChannel<unknown>(() => channelOf(room.value), {
    history: LATEST,
    keep: LATEST,
    joinLeave: true,
    onMessage: (message) => { hasCome(lineOf(message), message.info?.client ?? '') },
    onGap: () => {
      pages.toLatest()
      if (rows.value.length === 0) return
      past.value = [...rows.value, { kind: 'gap', id: randomId(), at: Date.now() }]
      note(`# ${room.value}: something may be missing, the history does not reach back so far`)
    },
  })
  const pages = usePages(() => channel.value, messages)

  function lineOf(message: Message<unknown>): Line {
    const line = lines.get(message) ?? readMessage(message, Date.now(), isOwn)
    lines.set(message, line)
    return line
  }

  const rows = computed<readonly Entry[]>(() => {
    const shown = (pages.turned.value ?? messages.value).map(lineOf)
    return pages.turned.value ? once(shown) : joined(past.value, shown).slice(-LATEST)
  })

  watch(room, () => {
    pages.toLatest()
    past.value = []
  })

  return { rows, pages, isLoading, error }
}
