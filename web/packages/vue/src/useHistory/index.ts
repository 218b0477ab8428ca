import type { AntiphonError, Message, Position } from '@antiphon/client'
import { shallowReadonly, shallowRef, toValue, watch, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import { useClient, type ClientOption } from '../antiphon.ts'
import type { Channels, DataOf } from '../channels.ts'
import { whileNamed } from '../life.ts'

/** The server's code for a position that is not of this stream. */
const OTHER_STREAM = 112

export interface UseHistoryOptions<T> extends ClientOption {
  /** So many messages at once, 50 where nothing is said. */
  readonly page?: number
  /**
   * Where the pages end, such as `oldest` of `useChannel`: then nothing is loaded before `loadMore()` is called. When it moves on, so that
   * there would be a hole, the pages begin anew. Without it they begin with the newest message.
   */
  readonly before?: MaybeRefOrGetter<Position | undefined>
  /** Looks at the data of each message, and gives it or throws. */
  readonly check?: (data: unknown) => T
}

export interface UseHistory<T> {
  /** Oldest first. */
  readonly messages: Readonly<ShallowRef<readonly Message<T>[]>>
  /** Whether there may be older ones. */
  readonly hasMore: Readonly<ShallowRef<boolean>>
  readonly isLoading: Readonly<ShallowRef<boolean>>
  readonly error: Readonly<ShallowRef<Error | undefined>>
  /** Loads the page before; the same one again where that failed. */
  readonly loadMore: () => Promise<void>
}

/** What was published in a channel before, page by page backwards, each message once whatever is published meanwhile. */
export function useHistory<T = never, const Name extends keyof Channels & string = keyof Channels & string>(
  name: MaybeRefOrGetter<Name | undefined>,
  options: UseHistoryOptions<DataOf<T, Name>> = {},
): UseHistory<DataOf<T, Name>> {
  type Data = DataOf<T, Name>
  const { page = 50, check } = options
  const client = useClient<Record<string, Data>>(options)
  const messages = shallowRef<readonly Message<Data>[]>([])
  const hasMore = shallowRef(true)
  const isLoading = shallowRef(false)
  const error = shallowRef<Error>()
  /** Of the oldest message we have. */
  let oldest: Position | undefined
  /** Of the newest one, or what comes after it. */
  let end: number | undefined
  let turn = 0
  let isHere = false
  let underWay: Promise<void> | undefined

  function clear(): void {
    turn += 1
    messages.value = []
    hasMore.value = true
    isLoading.value = false
    error.value = undefined
    oldest = end = underWay = undefined
  }

  async function load(name: string): Promise<void> {
    const mine = turn
    isLoading.value = true
    const before = oldest ?? toValue(options.before)
    try {
      const { messages: found, position } = await client.channel(name).history({ limit: page, reverse: true, ...(before !== undefined && { since: before }) })
      if (mine !== turn) return
      end ??= before?.offset ?? position.offset + 1
      const last = found.at(-1)?.offset
      if (last !== undefined) oldest = { offset: last, epoch: position.epoch }
      hasMore.value = last !== undefined && last > 1
      messages.value = [...found.toReversed().map((message) => (check === undefined ? message : { ...message, data: check(message.data) as Data })), ...messages.value]
      error.value = undefined
    } catch (problem) {
      if (mine !== turn) return
      if (oldest !== undefined && (problem as Partial<AntiphonError>).code === OTHER_STREAM) {
        clear()
        await loadMore()
      } else error.value = problem instanceof Error ? problem : new Error(String(problem))
    } finally {
      if (mine === turn) {
        isLoading.value = false
        underWay = undefined
      }
    }
  }

  async function loadMore(): Promise<void> {
    const current = toValue(name)
    if (current === undefined || !isHere || !hasMore.value) return
    underWay ??= load(current)
    await underWay
  }

  whileNamed(client, name, clear, () => {
    isHere = true
    if (options.before === undefined) void loadMore()
    const stop = watch(() => toValue(options.before)?.offset, (offset) => { if (end !== undefined && (offset ?? 0) > end) clear() })
    return () => {
      stop()
      turn += 1
      isHere = false
      isLoading.value = false
    }
  })

  return { messages: shallowReadonly(messages), hasMore: shallowReadonly(hasMore), isLoading: shallowReadonly(isLoading), error: shallowReadonly(error), loadMore }
}
