import type { Channel, Message, Position } from '@antiphon/client'
import { AntiphonError } from '@antiphon/client'

/** What was there before the first message, and where in the channel's stream that was. */
export interface Loaded<T, State> {
  /** Messages, oldest first. */
  readonly messages?: readonly Message<T>[]
  /** Anything else that messages change. */
  readonly state?: State
  readonly position: Position
}

/** Gives what is there already. */
export interface Source<T, State> {
  load(): Promise<Loaded<T, State>>
  /** It asks for the channel's history: that has nothing newer than the subscription before there is one, and messages make sense without it. */
  readonly isHistory: boolean
}

/** What a feed tells. */
export interface Sink<T, State> {
  loading(isLoading: boolean): void
  /** Takes the place of everything there was. */
  loaded(loaded: Loaded<T, State>): void
  message(message: Message<T>): void
  /** Messages are missing before the next one. What was loaded is loaded again. */
  gap(): void
  /** Something failed; `undefined` when it works again. */
  error(error: Error | undefined): void
}

/** So many messages wait for what is loaded; of more, the oldest are fetched again. */
const WAITING = 10_000
/** So often it is loaded again where what was loaded is too old, each wait in milliseconds twice as long as the last. */
const TRIES = 5
const FIRST_WAIT = 250

/**
 * A channel from a state on: what is loaded first, and then each message after it, once and in order.
 *
 * The messages that come while it loads wait. What was published between the loaded position and the first of them is fetched from the channel's history;
 * where that does not reach back so far, it is loaded again.
 */
export class Feed<T, State> {
  readonly #channel: Channel<T>
  readonly #source: Source<T, State> | undefined
  readonly #sink: Sink<T, State>
  readonly #stops: (() => void)[]
  /** Messages that came before it was loaded. */
  #waiting: Message<T>[] = []
  #isLoaded: boolean
  /** Nothing is missing. */
  #isWhole: boolean
  /** What was loaded, and waits for the subscription. */
  #loaded: Loaded<T, State> | undefined
  /** Everything up to this offset is part of what was loaded. */
  #floor = 0
  /** What an older turn gives is not for us any more. */
  #turn = 0
  #isUnderWay = false
  #wasSubscribed: boolean
  #tries = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(channel: Channel<T>, source: Source<T, State> | undefined, sink: Sink<T, State>) {
    this.#channel = channel
    this.#source = source
    this.#sink = sink
    this.#isLoaded = this.#isWhole = source === undefined
    this.#wasSubscribed = channel.state === 'subscribed'
    this.#stops = [
      channel.on('message', (message) => { this.#message(message) }),
      channel.on('subscribed', ({ isRecovered }) => { this.#subscribed(isRecovered) }),
      channel.on('unsubscribed', ({ code, reason }) => { this.#unsubscribed(code, reason) }),
      channel.on('error', (error) => { sink.error(error) }),
    ]
    this.reload()
  }

  /** Loads anew; what comes meanwhile waits. */
  reload(): void {
    this.#tries = 0
    if (this.#source?.isHistory !== true || this.#channel.state === 'subscribed') this.#load()
    else this.#begin()
  }

  close(): void {
    this.#turn += 1
    clearTimeout(this.#timer)
    for (const stop of this.#stops) stop()
  }

  #message(message: Message<T>): void {
    if (this.#isLoaded) this.#pass(message)
    else {
      this.#waiting.push(message)
      if (this.#waiting.length > WAITING) this.#waiting.shift()
    }
  }

  /** Hands over what is newer than everything before it. */
  #pass(message: Message<T>): void {
    if (message.offset !== undefined) {
      if (message.offset <= this.#floor) return
      this.#floor = message.offset
    }
    this.#sink.message(message)
  }

  #subscribed(isRecovered: boolean): void {
    const isGap = this.#wasSubscribed && !isRecovered
    this.#wasSubscribed = true
    this.#sink.error(undefined)
    if (isGap) {
      this.#floor = 0
      this.#waiting = []
      this.#sink.gap()
      this.reload()
    } else if (this.#loaded !== undefined) this.#join(this.#loaded)
    else if (!this.#isWhole && !this.#isUnderWay) this.reload()
  }

  #unsubscribed(code: number, reason: string): void {
    if (code !== 0) this.#failed(new AntiphonError(code, `Not subscribed to ${this.#channel.name}: ${reason}`))
  }

  /** From here on messages wait. */
  #begin(): number {
    clearTimeout(this.#timer)
    this.#isLoaded = this.#isWhole = this.#isUnderWay = false
    this.#loaded = undefined
    this.#sink.loading(true)
    return ++this.#turn
  }

  #load(): void {
    if (this.#source === undefined) return
    const turn = this.#begin()
    this.#isUnderWay = true
    this.#source.load().then(
      (loaded) => {
        if (turn !== this.#turn) return
        this.#loaded = loaded
        if (this.#channel.state === 'subscribed') this.#join(loaded)
      },
      (error: unknown) => { if (turn === this.#turn) this.#failed(error) },
    )
  }

  /** Puts together what was loaded and what has come, once the channel is subscribed. */
  #join(loaded: Loaded<T, State>): void {
    const { position } = this.#channel
    if (position === undefined) {
      this.#take(loaded, [])
      this.#sink.error(new Error(`${this.#channel.name} keeps no history: what was published while it was loaded may be missing`))
      return
    }
    const first = this.#waiting[0]?.offset
    const begin = first === undefined ? position.offset : first - 1
    if (loaded.position.epoch === position.epoch && loaded.position.offset >= begin) {
      this.#take(loaded, [])
      return
    }
    const turn = ++this.#turn
    this.#missed(loaded.position, turn).then(
      (missed) => {
        if (turn !== this.#turn) return
        if (missed === undefined) this.#again(loaded.position)
        else this.#take(loaded, missed)
      },
      () => { if (turn === this.#turn) this.#again(loaded.position) },
    )
  }

  /** What was published after a position, page by page; `undefined` where the history does not reach back so far. */
  async #missed(since: Position, turn: number): Promise<Message<T>[] | undefined> {
    const missed: Message<T>[] = []
    while (turn === this.#turn) {
      const { messages, position } = await this.#channel.history({ limit: -1, since })
      const last = messages.at(-1)?.offset
      if (last === undefined) return since.offset === position.offset ? missed : undefined
      if (messages[0]?.offset !== since.offset + 1) return undefined
      missed.push(...messages)
      since = { offset: last, epoch: position.epoch }
      if (last >= position.offset) return missed
    }
    return undefined
  }

  #take(loaded: Loaded<T, State>, missed: readonly Message<T>[]): void {
    const waiting = [...missed, ...this.#waiting]
    this.#waiting = []
    this.#isLoaded = this.#isWhole = true
    this.#isUnderWay = false
    this.#loaded = undefined
    this.#floor = loaded.position.offset
    this.#sink.error(undefined)
    this.#sink.loaded(loaded)
    for (const message of waiting) this.#pass(message)
    this.#sink.loading(false)
  }

  /** What was loaded is older than what can still be fetched. */
  #again({ offset }: Position): void {
    if (this.#tries === TRIES) {
      const name = this.#channel.name
      this.#failed(new Error(`What was loaded for ${name} is of offset ${offset}, and the history does not reach back so far, ${TRIES + 1} times: load something newer, or keep more history`))
      return
    }
    this.#turn += 1
    this.#loaded = undefined
    this.#timer = setTimeout(() => { this.#load() }, FIRST_WAIT * 2 ** this.#tries++)
  }

  #failed(error: unknown): void {
    this.#turn += 1
    this.#isUnderWay = false
    this.#loaded = undefined
    this.#sink.error(error instanceof Error ? error : new Error(String(error)))
    if (this.#source?.isHistory === true && !this.#isLoaded) {
      this.#isLoaded = true
      for (const message of this.#waiting.splice(0)) this.#pass(message)
    }
    this.#sink.loading(false)
  }
}
