import { AntiphonError, codes } from './errors.ts'
import type { Command, ConnectResult, Reply } from './protocol.ts'

/**
 * What a command is to the session that it was sent in, when that session has ended without an answer:
 * - `act`: to do it again could do it twice, so it fails with `unknown`;
 * - `ask`: it changes nothing, so it is asked again in the next session;
 * - `tie`: it was about that session alone, so it is forgotten without a word.
 */
export type Kind = 'act' | 'ask' | 'tie'

/** What is said when a command is settled: a reply, or `undefined` where none is to be expected. */
export type Done = (reply: Reply | undefined) => void
export type Fail = (error: AntiphonError) => void

interface Entry {
  readonly id: number | undefined
  readonly text: string
  readonly kind: Kind
  readonly done: Done
  readonly fail: Fail
  /** Its number in the session; 0 as long as no transport has had it. */
  n: number
}

/** Commands for one message. */
export interface Batch {
  readonly text: string
  /** The number of the last of them. */
  readonly last: number
  readonly count: number
}

export interface Bounds {
  /** How many commands may be unsettled. */
  readonly commands: number
  /** And how large they may be together, in UTF-16 code units of their JSON. */
  readonly size: number
  /** How large one may be, in bytes of UTF-8. */
  readonly message: number
}

/** The size of a batch in code units, which is at most 48 KiB of UTF-8: the server takes messages of 64 KiB. */
const BATCH = 16_384
/** So many messages are acknowledged at once, and fewer after so many milliseconds. */
const ACK_EVERY = 32
const ACK_AFTER = 1000

/**
 * The numbers of a session: what has arrived, and what has been said and is not settled.
 *
 * **Downlink.** `received` counts the messages. Each line of transport counts for itself from what its `connect` acknowledged, so a message that
 * comes on two of them has the same number on both, and the second is passed over.
 *
 * **Uplink.** The outbox holds every command until its answer. A command gets its number when a transport first takes it, and keeps it on
 * every other one: the server takes each number once.
 */
export class Session {
  /** How many messages of the server have been handled. */
  received = 0
  client = ''
  secret = ''
  node = ''

  readonly #bounds: Bounds
  readonly #wake: () => void
  #outbox: Entry[] = []
  #size = 0
  #id = 0
  #n = 0
  #isBegun = false
  #isNumbered = false
  #acked = 0
  #held: number | undefined
  #isAckDue = false
  #isPongDue = false
  #ackTimer: ReturnType<typeof setTimeout> | undefined

  /** @param wake is called when there is something to send. */
  constructor(bounds: Bounds, wake: () => void) {
    this.#bounds = bounds
    this.#wake = wake
  }

  /** Whether there is a session, be it without a transport at the moment. */
  get isBegun(): boolean {
    return this.#isBegun
  }

  /** Whether the server can go on with it. */
  get isResumable(): boolean {
    return this.#isNumbered && this.secret !== ''
  }

  /** What may be acknowledged now. */
  get ack(): number {
    return this.#held ?? this.received
  }

  nextId(): number {
    this.#id += 1
    return this.#id
  }

  /** Adds a command, whose data is written down at once. It fails at once where it is too much. The server answers all but `send`. */
  add(command: Command, kind: Kind, done: Done, fail: Fail, isAnswered = command.send === undefined): void {
    const id = isAnswered ? this.nextId() : undefined
    let text: string
    try {
      text = JSON.stringify(id === undefined ? command : { id, ...command })
    } catch (error) {
      fail(new AntiphonError(codes.notJson, `This cannot be written as JSON: ${String(error)}`, 'unsent'))
      return
    }
    const { commands, size, message } = this.#bounds
    if (text.length * 3 > message && new TextEncoder().encode(text).length > message) {
      fail(new AntiphonError(codes.tooLarge, `The command has more than ${message} bytes, the limit of a message; publish less at once`, 'unsent'))
      return
    }
    if (kind !== 'tie' && (this.#outbox.length >= commands || this.#size + text.length > size)) {
      fail(new AntiphonError(codes.full, `${this.#outbox.length} commands of ${this.#size} characters wait for the server, ${commands} and ${size} are the limit; publish less, or wait for what publish() gives`, 'unsent', true))
      return
    }
    this.#size += text.length
    this.#outbox.push({ id, text, kind, done, fail, n: 0 })
    this.#wake()
  }

  /** A batch of what comes after command `after`, with what else there is to say; `undefined` when there is nothing. With `one`, a single command. */
  collect(after: number, one = false): Batch | undefined {
    const lines: string[] = []
    let size = 0
    let last = after
    for (const entry of this.#outbox) {
      if (entry.n !== 0 && entry.n <= after) continue
      if (lines.length > 0 && (one || size + entry.text.length > BATCH)) break
      if (entry.n === 0) entry.n = ++this.#n
      lines.push(this.#isNumbered ? `${entry.text.slice(0, -1)},"n":${entry.n}}` : entry.text)
      size += entry.text.length
      last = entry.n
    }
    const count = lines.length
    if (this.#isPongDue) lines.push('{}')
    this.#isPongDue = false
    if (this.#isNumbered && this.ack > this.#acked && (this.#isAckDue || count > 0)) {
      lines.push(`{"ack":${this.ack}}`)
      this.said(this.ack)
    }
    return lines.length > 0 ? { text: lines.join('\n'), last, count } : undefined
  }

  /** Handles a reply to a command. Gives whether it was one. */
  settle(reply: Reply): boolean {
    if (reply.id === undefined) return false
    const entry = this.#outbox.find(({ id }) => id === reply.id)
    if (entry === undefined) return false
    this.#remove(entry)
    this.cover(entry.n)
    const { error } = reply
    if (error === undefined) entry.done(reply)
    else entry.fail(new AntiphonError(error.code, error.message ?? '', error.fate, error.temporary))
    return true
  }

  /** The server has had the commands up to `n`: what has no answer is settled by that. */
  cover(n: number): void {
    for (const entry of this.#outbox.filter((entry) => entry.id === undefined && entry.n !== 0 && entry.n <= n)) {
      this.#remove(entry)
      entry.done(undefined)
    }
  }

  /** The session goes on over another transport; the server has had the commands up to `n`. */
  resume(n: number): void {
    this.cover(n)
    // The ping was the other transport's. The server takes an answer without a question for a breach of the protocol.
    this.#isPongDue = false
  }

  /** The server does not take command `n` because of its size. A ping takes its number, so that the next ones keep theirs. */
  refuse(n: number): void {
    const at = this.#outbox.findIndex((entry) => entry.n === n)
    const entry = this.#outbox[at]
    if (entry === undefined) return
    const id = this.nextId()
    const nothing = (): void => undefined
    this.#outbox[at] = { id, n, text: JSON.stringify({ id, ping: {} }), kind: 'tie', done: nothing, fail: nothing }
    entry.fail(new AntiphonError(codes.tooLarge, `The server does not take a command of ${entry.text.length} characters; publish less at once`))
  }

  /** One more message, the `count`th, has arrived. */
  count(count: number): void {
    this.received = count
    if (count - this.#acked >= ACK_EVERY) this.#ackNow()
    else this.#ackTimer ??= setTimeout(() => { this.#ackNow() }, ACK_AFTER)
  }

  /** The server wants an answer to its ping. */
  pong(): void {
    this.#isPongDue = true
    this.#wake()
  }

  /** `ack` has been told. */
  said(ack: number): void {
    this.#acked = Math.max(this.#acked, ack)
    this.#isAckDue = false
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
  }

  /** Another line has told the server where it goes on. Until that is decided nothing newer is acknowledged: the server would not keep it for the new line. */
  hold(): void {
    this.#held = this.received
  }

  release(): void {
    this.#held = undefined
    if (this.received > this.#acked) this.count(this.received)
  }

  /** A session begins. `first` adds the commands that come before those that have waited for it. */
  begin(result: ConnectResult, first: () => void): void {
    const before = this.#outbox
    this.#reset()
    this.#isBegun = true
    this.#isNumbered = result.ext?.session === 1
    this.secret = result.session ?? ''
    this.node = result.node ?? ''
    this.client = result.client ?? ''
    first()
    const lost = before.filter((entry) => entry.kind === 'act' && entry.n !== 0)
    for (const entry of before) {
      if (entry.kind === 'tie' || lost.includes(entry)) continue
      entry.n = 0
      this.#size += entry.text.length
      this.#outbox.push(entry)
    }
    for (const entry of lost) {
      entry.fail(new AntiphonError(codes.lost, 'The session ended before the server said what came of it; it may have been done', 'unknown'))
    }
  }

  /** The server does not go on with it. */
  forget(): void {
    this.secret = ''
  }

  /** The session is over, and no other follows. */
  end(reason: string): void {
    const before = this.#outbox
    this.#reset()
    for (const entry of before) {
      if (entry.kind === 'tie') continue
      entry.fail(new AntiphonError(codes.disconnected, `Disconnected: ${reason}`, entry.n === 0 || entry.kind === 'ask' ? 'unsent' : 'unknown'))
    }
  }

  #reset(): void {
    this.said(0)
    this.#held = undefined
    this.#outbox = []
    this.#size = this.#n = this.#acked = this.received = 0
    this.#isBegun = this.#isNumbered = this.#isPongDue = false
    this.secret = this.node = this.client = ''
  }

  #ackNow(): void {
    clearTimeout(this.#ackTimer)
    this.#ackTimer = undefined
    this.#isAckDue = true
    if (this.#isNumbered) this.#wake()
  }

  #remove(entry: Entry): void {
    this.#outbox = this.#outbox.filter((other) => other !== entry)
    this.#size -= entry.text.length
  }
}
