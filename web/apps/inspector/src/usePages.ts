import { computed, ref, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { ApiError } from './api'
import { back, cursorOf, firstPage, forward, type Cursors } from './cursors'
import { usePoll } from './usePoll'

export interface Pages<T> {
  /** The page that was answered last; while another is awaited it stays. */
  page: ComputedRef<T | undefined>
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** Where in the list `page` stands. */
  cursors: ComputedRef<Cursors>
  /** Whether `page` answers an earlier question than the one asked now. */
  isStale: ComputedRef<boolean>
  hasNext: ComputedRef<boolean>
  hasPrevious: ComputedRef<boolean>
  next: () => void
  previous: () => void
  toFirst: () => void
  refresh: () => void
}

export interface UsePagesOptions<Q, T> {
  /** What the way through this list is remembered by, so that it is there after a look at one entry. Without it, it is not. */
  key?: string
  limit: number
  /** What is listed. Another question begins at the first page. */
  question: () => Q
  ask(question: Q, cursors: Cursors, signal: AbortSignal): Promise<T>
  next(page: T): string | null
  /** Asked anew every so many ms; undefined: not. */
  interval: (cursors: Cursors) => number | undefined
}

const remembered = new Map<string, { asked: string; cursors: Cursors }>()

/** A list of the server, a page at a time: no more than one page is ever held. */
export function usePages<Q, T>(options: UsePagesOptions<Q, T>): Pages<T> {
  const asked = computed(() => JSON.stringify(options.question()))
  const last = options.key === undefined ? undefined : remembered.get(options.key)
  const cursors: Ref<Cursors> = ref(last?.asked === asked.value ? last.cursors : firstPage(options.limit))
  const go = (to: Cursors): void => {
    cursors.value = to
    if (options.key !== undefined) remembered.set(options.key, { asked: asked.value, cursors: to })
  }
  watch(
    asked,
    () => {
      go(firstPage(options.limit))
    },
    { flush: 'sync' },
  )

  const identity = computed(() => `${asked.value} ${cursorOf(cursors.value) ?? ''}`)
  const poll = usePoll(
    async (signal) => {
      const [id, at] = [identity.value, cursors.value]
      return { id, at, answer: await options.ask(options.question(), at, signal) }
    },
    { interval: () => options.interval(cursors.value), question: () => identity.value },
  )
  const shown = poll.data

  const page = computed(() => shown.value?.answer)
  const isStale = computed(() => shown.value !== undefined && shown.value.id !== identity.value)
  const following = computed(() => (page.value === undefined ? null : options.next(page.value)))
  return {
    page,
    error: poll.error,
    cursors: computed(() => shown.value?.at ?? cursors.value),
    isStale,
    hasNext: computed(() => following.value !== null && !isStale.value),
    hasPrevious: computed(() => cursors.value.stack.length > 0),
    next() {
      if (following.value !== null && !isStale.value) go(forward(cursors.value, following.value))
    },
    previous() {
      go(back(cursors.value))
    },
    toFirst() {
      go(firstPage(options.limit))
    },
    refresh: poll.refresh,
  }
}
