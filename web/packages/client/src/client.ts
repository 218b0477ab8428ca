import { backoffDelay } from './backoff.ts'
import { ChannelCore, type Host } from './channel.ts'
import { Connection } from './connection.ts'
import { Emitter } from './emitter.ts'
import { AntiphonError } from './errors.ts'
import { listen } from './network.ts'
import { defaults, endpointsOf, type Options } from './options.ts'
import { TOKEN_EXPIRED, type Command, type ConnectRequest, type ConnectResult, type Push, type Reply } from './protocol.ts'
import { Route, type TransportName } from './route.ts'
import { Session, type Kind } from './session.ts'
import type { ConnectionState } from './state.ts'
import { Pass } from './token.ts'
import { httpStream } from './transport/http-stream.ts'
import { poll } from './transport/poll.ts'
import { sse } from './transport/sse.ts'
import { websocket } from './transport/websocket.ts'
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
 * A message is delivered once and in order, a publication is made once and in order, as long as the server keeps the session. When it does not, channels
 * with history recover, those without say `gap`, and each promise says what became of its command.
 */
export class Client<Channels extends ChannelTypes = AnyChannels> {
  readonly #events = new Emitter<ClientEvents>()
  readonly #channels = new Map<string, ChannelCore<unknown>>()
  readonly #session: Session
  readonly #connection: Connection
  readonly #pass: Pass
  readonly #host: Host
  readonly #options: Options
  #refreshFailures = 0
  #unlisten: (() => void) | undefined

  /** @throws TypeError when `url` is none. */
  constructor(url: string, options: Options = {}) {
    const all = { ...defaults, ...options }
    const random = options.random ?? (() => Math.random())
    this.#options = options
    this.#session = new Session({ ...all.buffer, message: all.messageSize }, () => { this.#connection.wake() })
    this.#pass = new Pass(options.token, (token) => { this.#refresh(token) }, (error) => {
      this.#events.emit('error', error)
      if (error.isTemporary) this.#pass.retry(this.#refreshDelay())
      else this.#connection.disconnect(error.code, error.message)
    })
    this.#host = {
      isBegun: () => this.#session.isBegun,
      ask: (command, kind) => this.#ask(command, kind),
      tie: (command, done, fail) => {
        this.#session.add(command, 'tie', (reply) => { done(reply ?? {}) }, fail)
      },
      backoff: all.backoff,
      random,
    }
    const start = {
      endpoints: endpointsOf(url),
      fetch: all.fetch ?? ((...request) => fetch(...request)),
      WebSocket: all.WebSocket ?? (globalThis as { WebSocket?: typeof WebSocket }).WebSocket,
      credentials: all.credentials ?? 'same-origin',
    } satisfies ConstructorParameters<typeof Connection>[0]['start']
    this.#connection = new Connection(
      { ...all, start, random, transports: { websocket, http_stream: httpStream, sse, poll } },
      this.#session,
      new Route(all.transports),
      this.#pass,
      {
        stateChanged: (state) => { this.#stateChanged(state) },
        transportChanged: (transport) => { this.#events.emit('transport', transport) },
        error: (error) => { this.#events.emit('error', error) },
        request: () => this.#request(),
        begun: (result) => { this.#begun(result) },
        connected: (result) => { this.#pass.lasts(result) },
        push: (push) => { this.#pushed(push) },
      },
    )
  }

  get state(): ConnectionState {
    return this.#connection.state
  }

  /** Gives what takes the listener away. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  /** Connects, and stays so until `disconnect()`. */
  connect(): void {
    this.#unlisten ??= listen({
      changed: (isOtherNetwork) => { this.#connection.doubt(isOtherNetwork) },
      left: () => { this.disconnect() },
    })
    this.#connection.connect()
  }

  /** Ends the session at once: others see this client leave. Subscriptions return with the next `connect()`. */
  disconnect(): void {
    this.#connection.disconnect(0, 'disconnect() was called')
  }

  /** The channel of this name. Options are added to those that it has, and count from its next subscription on; for `joinLeave` it subscribes anew. */
  channel<Name extends keyof Channels & string>(name: Name, options: ChannelOptions<Channels[Name]> = {}): Channel<Channels[Name]> {
    const known = this.#channels.get(name)
    if (known !== undefined) {
      known.configure(options as ChannelOptions<unknown>)
      return known as unknown as Channel<Channels[Name]>
    }
    const channel = new ChannelCore(name, options, this.#host)
    this.#channels.set(name, channel as unknown as ChannelCore<unknown>)
    return channel
  }

  /** The same as `channel(name).publish(data)`. */
  async publish<Name extends keyof Channels & string>(name: Name, data: Channels[Name]): Promise<void> {
    await this.#ask({ publish: { channel: name, data } }, 'act')
  }

  /** Calls a method of the application. */
  async rpc(method: string, data: unknown = {}): Promise<unknown> {
    return (await this.#ask({ rpc: { method, data } }, 'act')).rpc?.data
  }

  /** Sends something to the application. Resolves when the server has it. */
  async send(data: unknown): Promise<void> {
    await this.#ask({ send: { data } }, 'act')
  }

  /** Asks the server for an answer. Gives how long that took, in milliseconds. */
  async ping(): Promise<number> {
    const since = performance.now()
    await this.#ask({ ping: {} }, 'ask')
    return performance.now() - since
  }

  /** For demonstrations and tests: breaks the transport in use. */
  cut(): void {
    this.#connection.cut()
  }

  /** For demonstrations and tests: takes this transport no more. If it is in use, the next one takes over. */
  forbid(transport: TransportName): void {
    this.#connection.forbid(transport)
  }

  allow(transport: TransportName): void {
    this.#connection.allow(transport)
  }

  #ask(command: Command, kind: Kind): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#session.add(command, kind, (reply) => { resolve(reply ?? {}) }, reject)
    })
  }

  #request(): ConnectRequest {
    const { data, name, version, headers } = this.#options
    const subs = [...this.#channels.values()].filter((channel) => channel.isServerSide).map((channel) => [channel.name, channel.recovery] as const)
    return {
      ...(data !== undefined && { data }),
      ...(name !== undefined && { name }),
      ...(version !== undefined && { version }),
      ...(headers !== undefined && { headers }),
      ...(subs.length > 0 && { subs: Object.fromEntries(subs) }),
    }
  }

  #stateChanged(state: ConnectionState): void {
    if (state.name === 'disconnected') {
      this.#unlisten?.()
      this.#unlisten = undefined
      for (const channel of [...this.#channels.values()]) channel.ended()
    }
    this.#events.emit('state', state)
  }

  #begun({ subs = {} }: ConnectResult): void {
    for (const name of Object.keys(subs)) this.#channelOf(name)
    for (const channel of [...this.#channels.values()]) channel.begun(subs[channel.name])
  }

  #pushed(push: Push): void {
    if (push.message !== undefined) this.#events.emit('message', { data: push.message.data })
    else if (push.refresh !== undefined) this.#pass.lasts(push.refresh)
    else if (push.subscribe !== undefined) this.#channelOf(push.channel ?? '').pushed(push)
    else this.#channels.get(push.channel ?? '')?.pushed(push)
  }

  #channelOf(name: string): ChannelCore<unknown> {
    const channel = this.#channels.get(name) ?? new ChannelCore<unknown>(name, {}, this.#host)
    this.#channels.set(name, channel)
    return channel
  }

  #refresh(token: string): void {
    this.#host.tie(
      { refresh: { token } },
      ({ refresh = {} }) => {
        this.#refreshFailures = 0
        this.#pass.lasts(refresh)
      },
      (error) => {
        this.#events.emit('error', error)
        if (error.isTemporary || (error.code === TOKEN_EXPIRED && this.#pass.expire())) this.#pass.retry(this.#refreshDelay())
        else this.#connection.disconnect(error.code, error.message)
      },
    )
  }

  #refreshDelay(): number {
    return backoffDelay(this.#refreshFailures++, this.#host.backoff, () => this.#host.random())
  }
}

/**
 * Connects to an Antiphon server.
 *
 * @param url `https://example.com`, or `/` for the origin of the page.
 * @throws TypeError when `url` is none.
 */
export function connect<Channels extends ChannelTypes = AnyChannels>(url: string, options: Options = {}): Client<Channels> {
  const client = new Client<Channels>(url, options)
  client.connect()
  return client
}
