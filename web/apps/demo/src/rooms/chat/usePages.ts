import type { Channel, Message } from '@antiphon/client'
import { shallowRef, type Ref } from 'vue'

/** So many rows follow what comes: each is made anew where a thousand come in a second. */
export const LATEST = 100
/** So many stand in the page where one reads further up; the others come back when one scrolls to them. */
const ROWS = 300
const PAGE = 100

/**
 * The part of a conversation that is on the screen.
 *
 * At the end it follows what comes. Whoever scrolls up stops that and turns pages in the channel's history, in both directions, until the end is
 * reached again. So neither the page nor its memory grows with what is said.
 */
export function usePages(channel: () => Channel<unknown> | undefined, live: Readonly<Ref<readonly Message<unknown>[]>>) {
  const turned = shallowRef<readonly Message<unknown>[]>()
  const isLoading = shallowRef(false)
  /** Nothing older is kept, as far as is known. */
  const isBeginning = shallowRef(false)

  async function load(from: Message<unknown> | undefined, reverse: boolean): Promise<Message<unknown>[]> {
    const [room, offset, epoch] = [channel(), from?.offset, channel()?.position?.epoch]
    if (room === undefined || offset === undefined || epoch === undefined) return []
    const { messages } = await room.history({ since: { offset, epoch }, limit: PAGE, reverse })
    return reverse ? [...messages].reverse() : [...messages]
  }

  /** One page at a time; a failure ends with what is there. */
  async function turn(load: () => Promise<void>): Promise<void> {
    if (isLoading.value) return
    isLoading.value = true
    try {
      await load()
    } catch {
      isBeginning.value = true
    } finally {
      isLoading.value = false
    }
  }

  return {
    /** The rows away from the end, if that is where the reader is. */
    turned: turned as Readonly<Ref<readonly Message<unknown>[] | undefined>>,
    isLoading,
    isBeginning,
    older: () =>
      turn(async () => {
        const shown = turned.value ?? live.value
        const page = await load(shown[0], true)
        isBeginning.value = page.length < PAGE
        if (page.length > 0) turned.value = [...page, ...shown].slice(0, ROWS)
      }),
    newer: () =>
      turn(async () => {
        const shown = turned.value
        const last = shown?.at(-1)
        if (shown === undefined || last === undefined) return
        if (live.value.includes(last) || (live.value[0]?.offset ?? 0) <= (last.offset ?? 0) + 1) toLatest()
        else {
          isBeginning.value = false
          turned.value = [...shown, ...(await load(last, false))].slice(-ROWS)
        }
      }),
    toLatest,
  }

  function toLatest(): void {
    turned.value = undefined
    isBeginning.value = false
  }
}
