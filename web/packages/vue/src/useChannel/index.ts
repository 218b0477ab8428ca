import type { Channel, ChannelState, Message, Position } from '@antiphon/client'
import { computed, shallowReadonly, shallowRef, toValue, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import { useClient, type ClientOption } from '../antiphon.ts'
import type { Channels, DataOf } from '../channels.ts'
import { Feed, type Loaded, type Source } from '../feed.ts'
import { Frame } from '../frame.ts'
import { whileNamed } from '../life.ts'
import { lease, type Lease, type Needs } from '../subscription.ts'

export interface UseChannelOptions<T, State = undefined> extends ClientOption, Needs {
  /** Begin with so many messages of the channel's history. */
  readonly history?: number
  /** So many messages are kept, 500 where nothing is said; older ones go. */
  readonly keep?: number
  /** Loads what is there already, and the position in the channel's stream where that was. It is asked again after a gap. */
  readonly load?: () => Promise<Loaded<T, State>>
  /** Gives the state after a message, for `value`. */
  readonly reduce?: (state: State, message: Message<T>) => State
  /** Looks at the data of each message, and gives it or throws. */
  readonly check?: (data: unknown) => T
  /** Each message that comes, at once; not those that were there already. */
  readonly onMessage?: (message: Message<T>) => void
  /** Messages were missed, and the channel's history does not have them. What was loaded is loaded again. */
  readonly onGap?: () => void
}

export interface UseChannel<T, State = undefined> {
  /** Oldest first. It changes once in each frame at most. With `history` or `load` there is no hole in it. */
  readonly messages: Readonly<ShallowRef<readonly Message<T>[]>>
  /** What `load` gave as state, and `reduce` made of it since. */
  readonly value: Readonly<ShallowRef<State | undefined>>
  readonly state: Readonly<ShallowRef<ChannelState>>
  /** Whether `history` or `load` is under way. */
  readonly isLoading: Readonly<ShallowRef<boolean>>
  /** Why it is not subscribed or not loaded, or what `check` said of a message. */
  readonly error: Readonly<ShallowRef<Error | undefined>>
  /** The place before the first of `messages`, for `useHistory`. */
  readonly oldest: ComputedRef<Position | undefined>
  readonly channel: ComputedRef<Channel<T> | undefined>
  /** Resolves when the server has it. Rejects with what became of it: see `AntiphonError.fate`. */
  readonly publish: (data: T) => Promise<void>
  /** Subscribes and loads again, where that failed. */
  readonly reload: () => void
}

/** A channel while the component is mounted: its messages, from the past on where that is wanted. */
export function useChannel<T = never, const Name extends keyof Channels & string = keyof Channels & string, State = undefined>(
  name: MaybeRefOrGetter<Name | undefined>,
  options: UseChannelOptions<DataOf<T, Name>, State> = {},
): UseChannel<DataOf<T, Name>, State> {
  type Data = DataOf<T, Name>
  const { history, keep = 500, load, reduce, check, onMessage, onGap } = options
  const client = useClient<Record<string, Data>>(options)
  const messages = shallowRef<readonly Message<Data>[]>([])
  const value = shallowRef<State>()
  const state = shallowRef<ChannelState>('unsubscribed')
  const isLoading = shallowRef((load !== undefined || history !== undefined) && toValue(name) !== undefined)
  const error = shallowRef<Error>()
  const channel = computed(() => {
    const current = toValue(name)
    return current === undefined ? undefined : client.channel(current)
  })

  let list: Message<Data>[] = []
  let newest: State | undefined
  let current: { readonly feed: Feed<Data, State>; readonly part: Lease } | undefined
  const frame = new Frame(() => {
    list = list.slice(-keep)
    messages.value = list.slice()
    value.value = newest
  })

  function clear(): void {
    list = []
    newest = undefined
    messages.value = list
    value.value = undefined
    error.value = undefined
  }

  function checked(message: Message<Data>): Message<Data> | undefined {
    if (check === undefined) return message
    try {
      return { ...message, data: check(message.data) as Data }
    } catch (thrown) {
      error.value = thrown instanceof Error ? thrown : new Error(String(thrown))
      return undefined
    }
  }

  function sourceOf(channel: Channel<Data>): Source<Data, State> | undefined {
    if (load !== undefined) return { load, isHistory: false }
    if (history === undefined) return undefined
    return {
      load: async () => {
        const { messages, position } = await channel.history({ limit: history, reverse: true })
        return { messages: messages.toReversed(), position }
      },
      isHistory: true,
    }
  }

  whileNamed(client, name, clear, (name) => {
    const part = lease(client, name, options)
    const channel = part.channel as Channel<Data>
    state.value = channel.state
    const stop = channel.on('state', (next) => { state.value = next })
    const feed = new Feed<Data, State>(channel, sourceOf(channel), {
      loading: (isUnderWay) => { isLoading.value = isUnderWay },
      loaded: (loaded) => {
        list = (loaded.messages ?? []).flatMap((message) => checked(message) ?? [])
        newest = loaded.state
        frame.request()
      },
      message: (raw) => {
        const message = checked(raw)
        if (message === undefined) return
        list.push(message)
        if (list.length > 2 * keep) list = list.slice(-keep)
        if (reduce !== undefined && newest !== undefined) newest = reduce(newest, message)
        frame.request()
        onMessage?.(message)
      },
      gap: () => onGap?.(),
      error: (problem) => { error.value = problem },
    })
    current = { feed, part }
    return () => {
      current = undefined
      frame.cancel()
      feed.close()
      stop()
      part.release()
      state.value = 'unsubscribed'
      isLoading.value = false
    }
  })

  return {
    messages: shallowReadonly(messages),
    value: shallowReadonly(value) as Readonly<ShallowRef<State | undefined>>,
    state: shallowReadonly(state),
    isLoading: shallowReadonly(isLoading),
    error: shallowReadonly(error),
    oldest: computed(() => before(messages.value[0], channel.value?.position)),
    channel,
    publish: async (data) => {
      const current = toValue(name)
      if (current === undefined) throw new Error('There is no channel to publish in: its name is undefined')
      await client.publish(current, data)
    },
    reload: () => {
      current?.part.renew()
      current?.feed.reload()
    },
  }
}

/** The position of the first message, or of what comes next where there is none. */
function before(first: Message<unknown> | undefined, position: Position | undefined): Position | undefined {
  if (position === undefined) return undefined
  return { offset: first?.offset ?? position.offset + 1, epoch: position.epoch }
}
