import { AntiphonError, codes } from '../errors.ts'
import { defaults, type Options } from '../options.ts'
import type { Command, ConnectResult } from '../protocol.ts'
import type { TransportName } from '../route.ts'
import { Session, type Done, type Fail, type Kind } from '../session.ts'
import type { Below, ConnectionState, Upper } from '../state.ts'
import { toError } from '../token.ts'
import type { SessionName } from '../transport/transport.ts'
import type { Way } from './way.ts'
import { HEARD_EVERY, hostLock, newName, packed, tabLock, unpacked, type Envelope, type Platform, type Port, type SharedOptions, type ToHost, type ToTab } from './wire.ts'

/** How long a host has to answer a tab that comes, in milliseconds. */
const PATIENCE = 5000

/** Options of a tab: those that it shares, and what gives the token. */
export type TabOptions = SharedOptions & Pick<Options, 'token'>

/** What a tab has of a host, from one `open` to the next. */
interface Entry {
  readonly id: string
  readonly stop: AbortController
  port: Port | undefined
  /** Its host's name; none until it has said hello. */
  host: string
  isBegun: boolean
  /** Messages that the host does not know to be read. */
  read: number
  timer: ReturnType<typeof setTimeout> | undefined
}

/**
 * A tab's part of a shared connection: a session with the host, which has one with the server.
 *
 * ```text
 *                   connect()            hello, join           begun
 *   disconnected ──────────────► opening ───────────► joined ─────────► begun: commands go
 *        ▲                         ▲ ▲                 │                 │  │
 *        │                         │ └── no hello ─────┤ another host,   │  │ begun again: the host has another session,
 *        │                         └──── in time ──────┴─ the page rests ┘  │ and goes on with the commands it has
 *        └──────────────────────────────────────────────────────────────────┘
 *            disconnect(), refused, the host is disconnected
 * ```
 *
 * What a host had of this tab ends with it, as a session ends with a server: what was not answered is `unknown`, what was not sent goes to the next.
 */
export class SharedConnection implements Below {
  state: ConnectionState = { name: 'disconnected', code: 0, reason: 'connect() was not called' }
  readonly #name: string
  readonly #url: string
  readonly #options: TabOptions
  readonly #platform: Platform
  readonly #upper: Upper
  readonly #session: Session
  /** Ways to a host, best first. */
  readonly #ways: Way[]
  #entry: Entry | undefined
  #cursor = 0
  /** How often in a row there was no hello. */
  #silences = 0
  /** The host's session, which another host has to end where it has not. */
  #last: SessionName | undefined

  constructor(name: string, url: string, options: TabOptions, platform: Platform, ways: readonly Way[], upper: Upper) {
    const { buffer, messageSize } = { ...defaults, ...options }
    this.#name = name
    this.#url = url
    this.#options = options
    this.#platform = platform
    this.#ways = [...ways]
    this.#upper = upper
    this.#session = new Session({ ...buffer, message: messageSize }, () => { this.#flush() })
  }

  get isBegun(): boolean {
    return this.#entry?.isBegun === true
  }

  connect(): void {
    if (this.state.name !== 'disconnected') return
    this.#open('connect() was called')
  }

  disconnect(): void {
    if (this.state.name !== 'disconnected') this.#finish({ name: 'disconnected', code: 0, reason: 'disconnect() was called' })
  }

  add(command: Command, kind: Kind, done: Done, fail: Fail): void {
    // The host's answer says what became of it, also where a server's would not.
    this.#session.add(command, kind, done, fail, true)
  }

  doubt(isOtherNetwork: boolean): void {
    if (this.#entry !== undefined) this.#post({ doubt: isOtherNetwork })
    else if (this.state.name === 'connecting') this.#open('the page is shown again')
  }

  rest(): void {
    this.#close()
    this.#enter({ name: 'connecting', attempt: 0, reason: 'the page rests' })
  }

  cut(): void {
    this.#post({ cut: true })
  }

  forbid(transport: TransportName): void {
    this.#post({ forbid: transport })
  }

  allow(transport: TransportName): void {
    this.#post({ allow: transport })
  }

  /** Looks for a host, or becomes it. @param isForced the one that there should be has not answered. */
  #open(reason: string, isForced = false): void {
    this.#close()
    const entry: Entry = { id: newName(), stop: new AbortController(), port: undefined, host: '', isBegun: false, read: 0, timer: undefined }
    this.#entry = entry
    this.#enter({ name: 'connecting', attempt: 1, reason })
    if (entry !== this.#entry) return
    // The host waits for this lock: when it is free, the tab is no more.
    this.#hold(tabLock(entry.id), entry, () => {
      const [way] = this.#ways
      entry.timer = setTimeout(() => { this.#silent(entry) }, PATIENCE)
      const stop = way?.open({
        name: this.#name,
        id: entry.id,
        isForced,
        onport: (port) => {
          entry.port = port
          port.onmessage = ({ data }: MessageEvent<Envelope<ToTab>>) => { if (entry === this.#entry) this.#handle(entry, data) }
        },
        onfail: () => { this.#silent(entry, true) },
      })
      if (stop !== undefined) entry.stop.signal.addEventListener('abort', stop)
    })
  }

  /** Holds a lock until the entry is closed; `then` comes when it has it. */
  #hold(lock: string, entry: Entry, then: () => void): void {
    const { signal } = entry.stop
    if (this.#platform.locks === undefined) {
      then()
      return
    }
    this.#platform.locks.request(lock, { signal }, () => {
      if (signal.aborted) return undefined
      then()
      return new Promise<void>((resolve) => { signal.addEventListener('abort', () => { resolve() }) })
    }).catch(() => undefined)
  }

  /** No host has said hello. */
  #silent(entry: Entry, isFailed = false): void {
    if (entry !== this.#entry || entry.host !== '') return
    this.#silences += 1
    const isLast = this.#ways.length === 1
    // A worker may have ended just now. If it is silent once more, there is none to be had.
    if (!isLast && (isFailed || this.#silences > 1)) this.#ways.shift()
    this.#open('the host of the shared connection does not answer', isLast)
  }

  #handle(entry: Entry, [host, message]: Envelope<ToTab>): void {
    if (message.hello === true) {
      this.#greet(entry, host)
      return
    }
    if (host !== entry.host) return
    entry.read += 1
    if (entry.read >= HEARD_EVERY) {
      this.#post({ heard: entry.read })
      entry.read = 0
    }
    const { reply, push, begun, state, transport, error, wants, refused, bye } = message
    if (push !== undefined) this.#upper.push(push)
    else if (reply !== undefined) this.#session.settle(reply)
    else if (begun !== undefined) this.#begin(entry, begun)
    else if (state !== undefined) {
      if (state.name === 'disconnected') this.#finish(state)
      else this.#enter(state)
    } else if (transport !== undefined) this.#upper.transportChanged(transport)
    else if (error !== undefined) this.#upper.error(unpacked(error))
    else if (bye === true) this.#last = undefined
    else if (wants !== undefined) this.#giveToken(entry, wants)
    else if (refused !== undefined) {
      this.#upper.error(new AntiphonError(codes.differs, refused, 'unsent'))
      this.#finish({ name: 'disconnected', code: codes.differs, reason: refused })
    }
  }

  /** A host has said hello: the first, or the one after it. */
  #greet(entry: Entry, host: string): void {
    clearTimeout(entry.timer)
    this.#silences = 0
    const isAnother = entry.host !== ''
    entry.host = host
    entry.isBegun = false
    entry.read = 0
    if (isAnother) this.#enter({ name: 'connecting', attempt: 1, reason: 'another tab holds the connection now' })
    if (entry !== this.#entry) return
    const { token, ...options } = this.#options
    this.#post({
      join: {
        ...(this.#platform.locks !== undefined && { lock: tabLock(entry.id) }),
        url: this.#url,
        options,
        hasToken: token !== undefined,
        ...(this.#last !== undefined && { former: this.#last }),
        subs: this.#upper.subs(),
      },
    })
    if (this.#ways[0]?.mayDie !== true) return
    this.#platform.locks?.request(hostLock(host), { signal: entry.stop.signal }, () => {
      if (entry === this.#entry) this.#open('the host of the shared connection has ended')
    }).catch(() => undefined)
  }

  #begin(entry: Entry, result: ConnectResult): void {
    this.#last = { session: result.session ?? '', node: result.node ?? '' }
    if (entry.isBegun) {
      this.#upper.begun(result)
      return
    }
    // A session with this host: what the one before has not answered will not be.
    this.#cursor = 0
    this.#session.begin({}, () => {
      entry.isBegun = true
      this.#upper.begun(result)
    })
    this.#flush()
  }

  #flush(): void {
    if (this.#entry?.isBegun !== true) return
    for (let batch = this.#session.collect(this.#cursor); batch !== undefined; batch = this.#session.collect(this.#cursor)) {
      this.#cursor = batch.last
      this.#post({ say: batch.text })
    }
  }

  #giveToken(entry: Entry, id: number): void {
    const { token } = this.#options
    const answer = (message: Omit<NonNullable<ToHost['token']>, 'id'>): void => {
      if (entry === this.#entry) this.#post({ token: { id, ...message } })
    }
    Promise.resolve().then(() => (typeof token === 'function' ? token() : token ?? '')).then(
      (token) => { answer({ token }) },
      (error: unknown) => { answer({ error: packed(toError(error)) }) },
    )
  }

  #finish(state: ConnectionState & { readonly name: 'disconnected' }): void {
    this.#close()
    this.#last = undefined
    this.#session.end(state.reason)
    this.#enter(state)
  }

  #close(): void {
    const entry = this.#entry
    this.#post({ bye: true })
    this.#entry = undefined
    if (entry === undefined) return
    clearTimeout(entry.timer)
    if (entry.port !== undefined) entry.port.onmessage = null
    entry.stop.abort()
  }

  #post(message: ToHost): void {
    const { host = '', port } = this.#entry ?? {}
    if (host !== '') port?.postMessage([host, message] satisfies Envelope<ToHost>)
  }

  #enter(state: ConnectionState): void {
    this.state = state
    this.#upper.stateChanged(state)
  }
}
