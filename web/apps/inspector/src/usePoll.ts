import { onScopeDispose, shallowRef, toValue, watch, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import { ApiError } from './api'
import { leave } from './leave'
import { Poll } from './poll'

export interface Polled<T> {
  /** The newest answer. It stays while the next one is awaited, so that nothing jumps. */
  data: Readonly<ShallowRef<T | undefined>>
  /** Why the newest question failed; undefined once one is answered. */
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** Asks at once. */
  refresh: () => void
}

export interface UsePollOptions {
  /** In ms; undefined: asked only when `question` changes and by `refresh`. */
  interval?: MaybeRefOrGetter<number | undefined>
  /** What is asked depends on this: a change asks anew, at once. */
  question?: () => unknown
}

/** A question to the admin API that is asked as long as the component lives. */
export function usePoll<T>(ask: (signal: AbortSignal) => Promise<T>, options: UsePollOptions = {}): Polled<T> {
  const data = shallowRef<T>()
  const error = shallowRef<ApiError>()
  const interval = (): number | undefined => toValue(options.interval)
  // What the server will not answer, because it is gone or cannot be, is not asked for again, unless somebody wants to know.
  const next = (): number | undefined => (error.value?.isFinal ? undefined : interval())

  const poll = new Poll(
    async (signal) => {
      try {
        const answer = await ask(signal)
        if (signal.aborted) return true
        data.value = answer
        error.value = undefined
        return true
      } catch (cause) {
        if (signal.aborted) return true
        if (!(cause instanceof ApiError)) throw cause
        if (cause.code === 'unauthorized') leave()
        error.value = cause
        return cause.isFinal
      }
    },
    { interval: next, slowest: 5000 },
  )
  const refresh = (): void => {
    poll.restart()
  }
  watch([interval, options.question ?? (() => undefined)], refresh, { immediate: true })
  onScopeDispose(() => {
    poll.stop()
  })
  return { data, error, refresh }
}
