import { ClientCore } from './core.ts'
import type { AntiphonError } from './errors.ts'
import type { Options } from './options.ts'
import { OwnConnection } from './own.ts'
import type { TransportName } from './route.ts'
import type { ConnectionState } from './state.ts'
import type { Channel, ChannelOptions } from './types.ts'

/** What a client tells. */
export interface ClientEvents {
  state: ConnectionState
  /** The session goes on over this one. */
  transport: TransportName
  /** Something failed that is tried again, or that ended the connection. */
  error: AntiphonError
  /** The application has sent something to this client. */
  message: { readonly data: unknown }
}

/** A name for each channel, or a pattern such as `` `chat:${string}` ``, with the type of its data. */
export type ChannelTypes = object

/** Any channel, any data. */
export type AnyChannels = Record<string, unknown>

/**
 * A session with the server that goes on over whatever transport works.
 *
 * ```text
 *                    connect()                      the server has answered
 *   disconnected ───────────────────► connecting ──────────────────────────► connected
 *        ▲                             │   ▲  │ ▲                              │  │
 *        │                             │   │  └─┘ the next attempt             │  │
 *        │   disconnect(), or the      │   └───────────────────────────────────┘  │
 *        │   server says: stay away    │     the network broke, is silent; cut()  │
 *        └─────────────────────────────┴──────────────────────────────────────────┘
 * ```
 *
 * A message is delivered once and in order, a publication is made once and in order, as long as the server keeps the session. When it does not, channels
 * with history recover, those without say `gap`, and each promise says what became of its command.
 */
export interface Client<Channels extends ChannelTypes = AnyChannels> {
  readonly state: ConnectionState
  /** Gives what takes the listener away. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void
  /** Connects, and stays so until `disconnect()`. */
  connect(): void
  /** Ends the session at once: others see this client leave. Subscriptions return with the next `connect()`. */
  disconnect(): void
  /** The channel of this name. Options are added to those that it has, and count from its next subscription on; for `joinLeave` it subscribes anew. */
  channel<Name extends keyof Channels & string>(name: Name, options?: ChannelOptions<Channels[Name]>): Channel<Channels[Name]>
  /** The same as `channel(name).publish(data)`. */
  publish<Name extends keyof Channels & string>(name: Name, data: Channels[Name]): Promise<void>
  /** Calls a method of the application. */
  rpc(method: string, data?: unknown): Promise<unknown>
  /** Sends something to the application. Resolves when the server has it. */
  send(data: unknown): Promise<void>
  /** Asks the server for an answer. Gives how long that took, in milliseconds. */
  ping(): Promise<number>
  /** For demonstrations and tests: breaks the transport in use. */
  cut(): void
  /** For demonstrations and tests: takes this transport no more. If it is in use, the next one takes over. */
  forbid(transport: TransportName): void
  allow(transport: TransportName): void
}

/**
 * Connects to an Antiphon server.
 *
 * @param url `https://example.com`, or `/` for the origin of the page.
 * @throws TypeError when `url` is none.
 */
export function connect<Channels extends ChannelTypes = AnyChannels>(url: string, options: Options = {}): Client<Channels> {
  const client = createClient<Channels>(url, options)
  client.connect()
  return client
}

/** The same, but that it does nothing until `connect()` is called. */
export function createClient<Channels extends ChannelTypes = AnyChannels>(url: string, options: Options = {}): Client<Channels> {
  return new ClientCore<Channels>((upper) => new OwnConnection(url, options, upper), options)
}
