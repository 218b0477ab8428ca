import type { Position } from './protocol.ts'
import type { TokenSource } from './token.ts'

export type { Position } from './protocol.ts'

/** Who a client is to others. */
export interface ClientInfo {
  /** The user's id; empty for an anonymous one. */
  readonly user: string
  /** The connection's id. */
  readonly client: string
  /** What the connection's token says of it, or the client itself. */
  readonly connInfo?: unknown
  /** What the subscription's token says of it. */
  readonly chanInfo?: unknown
}

/** What was published in a channel. */
export interface Message<T> {
  readonly channel: string
  readonly data: T
  /** Its place in the channel's stream, in a channel with history. */
  readonly offset?: number
  readonly tags?: Readonly<Record<string, string>>
  /** Who published, where that was a client. */
  readonly info?: ClientInfo
  /** When, in milliseconds since 1970. */
  readonly time?: number
}

/** A subscription is there. */
export interface Subscribed {
  /** From the application. */
  readonly data?: unknown
  /** Whether it was there before. */
  readonly isAgain: boolean
  /** Whether everything that was published meanwhile has been delivered. */
  readonly isRecovered: boolean
  readonly position?: Position
}

export interface Unsubscribed {
  /** 0 where it was `unsubscribe()`, else an error's code (below 2000), or that of the server. */
  readonly code: number
  readonly reason: string
}

/** What happens in a channel. */
export interface ChannelEvents<T> {
  message: Message<T>
  join: ClientInfo
  leave: ClientInfo
  state: ChannelState
  subscribed: Subscribed
  unsubscribed: Unsubscribed
  /** Messages may have been missed: the session ended, and the channel's history does not reach back so far. Load the state anew. */
  gap: { readonly channel: string }
  /** A subscription that is tried again, or a message whose data `check` did not take. */
  error: Error
}

export type ChannelState = 'unsubscribed' | 'subscribing' | 'subscribed'

export interface ChannelOptions<T> {
  /** Where the channel needs one. The function is asked again when it expires. */
  readonly token?: TokenSource
  /** For the application's hook. */
  readonly data?: unknown
  /** Whether to hear who joins and leaves, where the channel allows it. */
  readonly joinLeave?: boolean
  /** Begin with what was published after this. */
  readonly since?: Position
  /** Looks at the data of each message, and gives it or throws. A parser of any schema library will do. */
  readonly check?: (data: unknown) => T
}

export interface HistoryOptions {
  /** At most so many; without it none but the position, with -1 all there are. */
  readonly limit?: number
  /** Those after it; with `reverse`, those before it. */
  readonly since?: Position
  readonly reverse?: boolean
}

export interface History<T> {
  readonly messages: readonly Message<T>[]
  /** Where the stream is. */
  readonly position: Position
}

/**
 * A channel. There is one object for each name.
 *
 * Iterating over it subscribes, and ends the subscription afterwards if there was none before. An iterator that is not read keeps up to
 * 10,000 messages; beyond that it throws.
 */
export interface Channel<T> extends AsyncIterable<Message<T>> {
  readonly name: string
  readonly state: ChannelState
  /** The last message that has come, in a channel with history. */
  readonly position: Position | undefined
  /** Subscribes and stays so, whatever the connection does. Resolves when the server has said yes, rejects when it has said no. */
  subscribe(): Promise<void>
  unsubscribe(): void
  /** Resolves when the server has it. Rejects with what became of it: see `AntiphonError.fate`. It needs no subscription. */
  publish(data: T): Promise<void>
  /** Who is there, each connection once. */
  presence(): Promise<ClientInfo[]>
  presenceStats(): Promise<{ readonly clients: number; readonly users: number }>
  history(options?: HistoryOptions): Promise<History<T>>
  /** Gives what takes the listener away. */
  on<Name extends keyof ChannelEvents<T>>(name: Name, listener: (event: ChannelEvents<T>[Name]) => void): () => void
}

