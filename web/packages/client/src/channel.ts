import { backoffDelay, type Backoff } from './backoff.ts'
import { Emitter } from './emitter.ts'
import { AntiphonError, codes } from './errors.ts'
import { TOKEN_EXPIRED, UNRECOVERABLE_POSITION, type Command, type Position, type Publication, type Push, type Reply, type SubscribeRequest, type SubscribeResult, type WireInfo } from './protocol.ts'
import type { Kind } from './session.ts'
import { Pass, toError, type TokenSource } from './token.ts'
import type { Channel, ChannelEvents, ChannelOptions, ChannelState, ClientInfo, History, HistoryOptions, Message, Unsubscribed } from './types.ts'

/** What a channel needs of its client. */
export interface Host {
  /** Whether there is a session to subscribe in. If not, the channel is told when there is. */
  isBegun(): boolean
  /** Sends a command and gives its reply. */
  ask(command: Command, kind: Kind): Promise<Reply>
  /** The same for commands that end with the session: nothing is called then. */
  tie(command: Command, done: (reply: Reply) => void, fail: (error: AntiphonError) => void): void
  readonly backoff: Backoff
  random(): number
}

/** So many messages an iterator keeps. */
const KEPT = 10_000

/** See {@link Channel}. What the server says of the channel comes in by `begun` and `pushed`. */
export class ChannelCore<T> implements Channel<T> {
  readonly name: string
  position: Position | undefined

  readonly #host: Host
  readonly #events = new Emitter<ChannelEvents<T>>()
  #options: ChannelOptions<T>
  #pass: Pass
  #state: ChannelState = 'unsubscribed'
  /** Whether the application wants it, or the server. */
  #isWanted = false
  #isServerSide = false
  /** Whether it was subscribed since it has been wanted. */
  #isAgain = false
  /** The answer to an older request is not for us any more. */
  #turn = 0
  #failures = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #ready: { promise: Promise<void>; resolve: () => void; reject: (error: AntiphonError) => void } | undefined

  constructor(name: string, options: ChannelOptions<T>, host: Host) {
    this.name = name
    this.#options = options
    this.#host = host
    this.position = options.since
    this.#pass = this.#passOf(options.token)
  }

  get state(): ChannelState {
    return this.#state
  }

  get isServerSide(): boolean {
    return this.#isServerSide
  }

  on<Name extends keyof ChannelEvents<T>>(name: Name, listener: (event: ChannelEvents<T>[Name]) => void): () => void {
    return this.#events.on(name, listener)
  }

  /** Takes further options. */
  configure(options: ChannelOptions<T>): void {
    const isJoinLeaveNew = options.joinLeave === true && this.#options.joinLeave !== true
    this.#options = { ...this.#options, ...options }
    if (!this.#isWanted) {
      this.position = options.since ?? this.position
      if (options.token !== undefined) this.#pass = this.#passOf(options.token)
    } else if (isJoinLeaveNew && !this.#isServerSide) {
      this.#release()
      this.#request()
    }
  }

  subscribe(): Promise<void> {
    this.#ready ??= deferred()
    const { promise } = this.#ready
    if (!this.#isWanted) {
      this.#isWanted = true
      this.#request()
    } else if (this.#state === 'subscribed') this.#ready.resolve()
    return promise
  }

  unsubscribe(): void {
    this.#leave({ code: 0, reason: 'unsubscribe() was called' }, true)
  }

  async publish(data: T): Promise<void> {
    await this.#host.ask({ publish: { channel: this.name, data } }, 'act')
  }

  async presence(): Promise<ClientInfo[]> {
    const { presence } = await this.#host.ask({ presence: { channel: this.name } }, 'ask')
    return Object.values(presence?.presence ?? {}).map(infoOf)
  }

  async presenceStats(): Promise<{ clients: number; users: number }> {
    const { presence_stats: stats } = await this.#host.ask({ presence_stats: { channel: this.name } }, 'ask')
    return { clients: stats?.num_clients ?? 0, users: stats?.num_users ?? 0 }
  }

  async history(options: HistoryOptions = {}): Promise<History<T>> {
    const { history = {} } = await this.#host.ask({ history: { channel: this.name, ...options } }, 'ask')
    const messages = (history.publications ?? []).flatMap((publication) => this.#messageOf(publication) ?? [])
    return { messages, position: { offset: history.offset ?? 0, epoch: history.epoch ?? '' } }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message<T>, void, undefined> {
    const kept: Message<T>[] = []
    let end: Error | 'left' | undefined
    let wake = (): void => undefined
    const wasWanted = this.#isWanted
    const stops = [
      this.on('message', (message) => {
        if (kept.length < KEPT) kept.push(message)
        else end = new AntiphonError(codes.behind, `${KEPT} messages of ${this.name} wait to be read, the limit; read faster`)
        wake()
      }),
      this.on('unsubscribed', ({ code, reason }) => {
        end ??= code === 0 ? 'left' : new AntiphonError(code, `${this.name}: ${reason}`)
        wake()
      }),
    ]
    try {
      this.subscribe().catch(() => undefined)
      for (;;) {
        for (let message = kept.shift(); message !== undefined; message = kept.shift()) yield message
        if (end instanceof Error) throw end
        if (end !== undefined) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    } finally {
      for (const stop of stops) stop()
      if (!wasWanted) this.unsubscribe()
    }
  }

  /** Where the client was, for a subscription that the server made. */
  get recovery(): SubscribeRequest {
    return this.position === undefined ? {} : { recover: true, ...this.position }
  }

  /** A new session has begun, in which `result` is what the server has subscribed us to by itself. */
  begun(result: SubscribeResult | undefined): void {
    if (result !== undefined) this.serverSubscribed(result)
    else if (this.#isServerSide) this.#leave({ code: 2000, reason: 'the server does not subscribe us any more' }, false)
    else if (this.#isWanted) this.#request()
  }

  /** There is no session any more; the subscription returns with the next. */
  ended(): void {
    this.#turn += 1
    clearTimeout(this.#timer)
    this.#pass.stop()
    if (this.#isWanted) this.#enter('subscribing')
  }

  serverSubscribed(result: SubscribeResult): void {
    this.#isWanted = this.#isServerSide = true
    this.#answered(result)
  }

  pushed(push: Push): void {
    // What comes before the answer belongs to a subscription that we have left.
    if (push.pub !== undefined && this.#state === 'subscribed') this.#deliver(push.pub)
    else if (push.join !== undefined) this.#events.emit('join', infoOf(push.join.info))
    else if (push.leave !== undefined) this.#events.emit('leave', infoOf(push.leave.info))
    else if (push.subscribe !== undefined) this.serverSubscribed(push.subscribe)
    else if (push.unsubscribe !== undefined && this.#state === 'subscribed') {
      const { code, reason = '' } = push.unsubscribe
      if (code >= 2500 && !this.#isServerSide) this.#again()
      else this.#leave({ code, reason }, false)
    }
  }

  #request(): void {
    const turn = ++this.#turn
    clearTimeout(this.#timer)
    this.#pass.stop()
    this.#enter('subscribing')
    if (!this.#host.isBegun()) return
    const token = this.#pass.get()
    if (typeof token === 'string') this.#send(turn, token)
    else {
      token.then(
        (token) => { if (turn === this.#turn) this.#send(turn, token) },
        (error: unknown) => { if (turn === this.#turn) this.#failed(toError(error)) },
      )
    }
  }

  #send(turn: number, token: string): void {
    const { data, joinLeave } = this.#options
    const subscribe: SubscribeRequest = {
      channel: this.name,
      ...(token !== '' && { token }),
      ...(data !== undefined && { data }),
      ...(joinLeave === true && { join_leave: true }),
      positioned: true,
      recoverable: true,
      ...this.recovery,
    }
    this.#host.tie(
      { subscribe },
      ({ subscribe: result = {} }) => { if (turn === this.#turn) this.#answered(result) },
      (error) => { if (turn === this.#turn) this.#failed(error) },
    )
  }

  #answered(result: SubscribeResult): void {
    const wasRecovering = this.position !== undefined
    const isRecovered = wasRecovering && result.recovered === true
    const isAgain = this.#isAgain
    this.#turn += 1
    this.#isAgain = true
    this.#failures = 0
    const hasPosition = result.recoverable === true || result.positioned === true
    this.position = hasPosition ? { offset: result.offset ?? 0, epoch: result.epoch ?? '' } : undefined
    this.#enter('subscribed')
    if ((isAgain || wasRecovering) && !isRecovered) this.#events.emit('gap', { channel: this.name })
    for (const publication of result.publications ?? []) this.#deliver(publication)
    this.#pass.lasts(result)
    this.#ready?.resolve()
    this.#events.emit('subscribed', {
      isAgain,
      isRecovered,
      ...('data' in result && { data: result.data }),
      ...(this.position !== undefined && { position: this.position }),
    })
  }

  #failed(error: AntiphonError): void {
    if (error.code === UNRECOVERABLE_POSITION) this.position = undefined
    const mayRetry = error.isTemporary || error.code === UNRECOVERABLE_POSITION || (error.code === TOKEN_EXPIRED && this.#pass.expire())
    if (mayRetry) {
      this.#events.emit('error', error)
      this.#again()
    } else {
      this.#ready?.reject(error)
      this.#leave({ code: error.code, reason: error.message }, false)
    }
  }

  /** Subscribes again after a while. */
  #again(): void {
    if (!this.#isWanted) return
    this.#turn += 1
    this.#pass.stop()
    this.#enter('subscribing')
    const delay = this.#delay()
    this.#timer = setTimeout(() => { this.#request() }, delay)
  }

  #delay(): number {
    return backoffDelay(this.#failures++, this.#host.backoff, () => this.#host.random())
  }

  #leave(why: Unsubscribed, isTold: boolean): void {
    if (!this.#isWanted) return
    this.#isWanted = this.#isAgain = this.#isServerSide = false
    this.#turn += 1
    clearTimeout(this.#timer)
    this.#pass.stop()
    this.position = undefined
    if (isTold) this.#release()
    this.#ready?.reject(new AntiphonError(why.code, `Not subscribed to ${this.name}: ${why.reason}`))
    this.#ready = undefined
    this.#enter('unsubscribed')
    this.#events.emit('unsubscribed', why)
  }

  /** Tells the server that we have left. */
  #release(): void {
    const nothing = (): void => undefined
    if (this.#host.isBegun()) this.#host.tie({ unsubscribe: { channel: this.name } }, nothing, nothing)
  }

  #passOf(token: TokenSource | undefined): Pass {
    return new Pass(token, (token) => { this.#refresh(token) }, (error) => {
      this.#events.emit('error', error)
      if (error.isTemporary) this.#pass.retry(this.#delay())
      else this.#leave({ code: error.code, reason: error.message }, true)
    })
  }

  #refresh(token: string): void {
    if (this.#state !== 'subscribed') return
    const turn = this.#turn
    this.#host.tie(
      { sub_refresh: { channel: this.name, token } },
      ({ sub_refresh: result = {} }) => { if (turn === this.#turn) this.#pass.lasts(result) },
      (error) => {
        if (turn !== this.#turn) return
        this.#events.emit('error', error)
        if (error.isTemporary) this.#pass.retry(this.#delay())
        else if (error.code !== TOKEN_EXPIRED || !this.#pass.expire()) this.#leave({ code: error.code, reason: error.message }, true)
        else this.#pass.retry(this.#delay())
      },
    )
  }

  #deliver(publication: Publication): void {
    const { offset } = publication
    if (offset !== undefined && this.position !== undefined) this.position = { ...this.position, offset }
    const message = this.#messageOf(publication)
    if (message !== undefined) this.#events.emit('message', message)
  }

  #messageOf({ data, offset, tags, info, time }: Publication): Message<T> | undefined {
    try {
      const { check } = this.#options
      return {
        channel: this.name,
        data: check === undefined ? (data as T) : check(data),
        ...(offset !== undefined && { offset }),
        ...(tags !== undefined && { tags }),
        ...(info !== undefined && { info: infoOf(info) }),
        ...(time !== undefined && { time }),
      }
    } catch (error) {
      this.#events.emit('error', error instanceof Error ? error : new Error(String(error)))
      return undefined
    }
  }

  #enter(state: ChannelState): void {
    if (state === this.#state) return
    this.#state = state
    this.#events.emit('state', state)
  }
}

function infoOf(info: WireInfo = {}): ClientInfo {
  const { user = '', client = '', conn_info: connInfo, chan_info: chanInfo } = info
  return { user, client, ...(connInfo !== undefined && { connInfo }), ...(chanInfo !== undefined && { chanInfo }) }
}

function deferred(): { promise: Promise<void>; resolve: () => void; reject: (error: AntiphonError) => void } {
  let resolve = (): void => undefined
  let reject: (error: AntiphonError) => void = () => undefined
  const promise = new Promise<void>((yes, no) => {
    resolve = yes
    reject = no
  })
  // Whoever listens to the events need not wait for the promise.
  promise.catch(() => undefined)
  return { promise, resolve, reject }
}
