import { ChannelCore, type Host } from './channel.ts'
import type { AnyChannels, ChannelTypes, Client, ClientEvents } from './client.ts'
import { Emitter } from './emitter.ts'
import { listen } from './network.ts'
import { defaults, type Options } from './options.ts'
import type { Command, ConnectResult, Push, Reply } from './protocol.ts'
import type { TransportName } from './route.ts'
import type { Kind } from './session.ts'
import type { Below, ConnectionState, Upper } from './state.ts'
import type { Channel, ChannelOptions } from './types.ts'

/** See {@link Client}. It has the channels; the session is what it stands on. */
export class ClientCore<Channels extends ChannelTypes = AnyChannels> implements Client<Channels> {
  readonly #events = new Emitter<ClientEvents>()
  readonly #channels = new Map<string, ChannelCore<unknown>>()
  readonly #below: Below
  readonly #host: Host
  #unlisten: (() => void) | undefined

  /** @param stand gives what the client stands on. */
  constructor(stand: (upper: Upper) => Below, options: Pick<Options, 'backoff' | 'random'>) {
    this.#below = stand({
      stateChanged: (state) => { this.#stateChanged(state) },
      transportChanged: (transport) => { this.#events.emit('transport', transport) },
      error: (error) => { this.#events.emit('error', error) },
      subs: () => Object.fromEntries([...this.#channels.values()].filter((channel) => channel.isServerSide).map((channel) => [channel.name, channel.recovery])),
      begun: (result) => { this.#begun(result) },
      push: (push) => { this.#pushed(push) },
    })
    this.#host = {
      isBegun: () => this.#below.isBegun,
      ask: (command, kind) => this.#ask(command, kind),
      tie: (command, done, fail) => {
        this.#below.add(command, 'tie', (reply) => { done(reply ?? {}) }, fail)
      },
      backoff: options.backoff ?? defaults.backoff,
      random: options.random ?? (() => Math.random()),
    }
  }

  get state(): ConnectionState {
    return this.#below.state
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  connect(): void {
    this.#unlisten ??= listen({
      changed: (isOtherNetwork) => { this.#below.doubt(isOtherNetwork) },
      left: (isKept) => {
        if (isKept) this.#below.rest()
        else this.disconnect()
      },
    })
    this.#below.connect()
  }

  disconnect(): void {
    this.#below.disconnect()
  }

  channel<Name extends keyof Channels & string>(name: Name, options: ChannelOptions<Channels[Name]> = {}): Channel<Channels[Name]> {
    const known = this.#channels.get(name)
    if (known !== undefined) {
      known.configure(options)
      return known as unknown as Channel<Channels[Name]>
    }
    const channel = new ChannelCore(name, options, this.#host)
    this.#channels.set(name, channel as unknown as ChannelCore<unknown>)
    return channel
  }

  async publish<Name extends keyof Channels & string>(name: Name, data: Channels[Name]): Promise<void> {
    await this.#ask({ publish: { channel: name, data } }, 'act')
  }

  async rpc(method: string, data: unknown = {}): Promise<unknown> {
    return (await this.#ask({ rpc: { method, data } }, 'act')).rpc?.data
  }

  async send(data: unknown): Promise<void> {
    await this.#ask({ send: { data } }, 'act')
  }

  async ping(): Promise<number> {
    const since = performance.now()
    await this.#ask({ ping: {} }, 'ask')
    return performance.now() - since
  }

  cut(): void {
    this.#below.cut()
  }

  forbid(transport: TransportName): void {
    this.#below.forbid(transport)
  }

  allow(transport: TransportName): void {
    this.#below.allow(transport)
  }

  #ask(command: Command, kind: Kind): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#below.add(command, kind, (reply) => { resolve(reply ?? {}) }, reject)
    })
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
    else if (push.subscribe !== undefined) this.#channelOf(push.channel ?? '').pushed(push)
    else this.#channels.get(push.channel ?? '')?.pushed(push)
  }

  #channelOf(name: string): ChannelCore<unknown> {
    const channel = this.#channels.get(name) ?? new ChannelCore<unknown>(name, {}, this.#host)
    this.#channels.set(name, channel)
    return channel
  }
}
