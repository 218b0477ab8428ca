import { backoffDelay } from './backoff.ts'
import { AntiphonError, codes } from './errors.ts'
import { Watch } from './network.ts'
import { INSUFFICIENT_STATE, isTerminal, TOKEN_EXPIRED, type ConnectRequest, type ConnectResult, type Reply } from './protocol.ts'
import type { Route, TransportName } from './route.ts'
import type { Session } from './session.ts'
import type { Above, ConnectionOptions, ConnectionState } from './state.ts'
import { toError, type Pass } from './token.ts'
import type { End, Link, Start } from './transport/transport.ts'
import { endSession } from './transport/uplink.ts'

/** One link and what has come on it. */
interface Line {
  readonly name: TransportName
  link: Link | undefined
  /** The number of the last message on it. */
  seq: number
  timer: ReturnType<typeof setTimeout> | undefined
  isConnected: boolean
  /** Messages went both ways. */
  isProven: boolean
  id: number
}

/** A connection that lived for so long, in milliseconds, was a good one: the waits begin anew. */
const LASTING = 5000
/** Where a link breaks that messages went over, the wait is as after so many failures at most. */
const BROKEN = 2
const LONGEST_TIMEOUT = 20_000
const LONGEST_UPGRADE = 600_000
/** How long a network that may have changed has to answer, in milliseconds. */
const DOUBT = 3000

/**
 * Keeps one session connected, over whatever transport works.
 *
 * ```text
 *                    connect()                      answer to `connect`
 *   disconnected ───────────────────► connecting ──────────────────────► connected ──┐ a better transport has
 *        ▲                             │   ▲  │ ▲                          │  │      │ answered: take-over
 *        │  disconnect(), terminal code│   │  └─┘ wait, next transport     │  │ ◄────┘
 *        ├─────────────────────────────┘   └───────────────────────────────┘  │
 *        │                                  the link ended, is silent, cut()  │
 *        └────────────────────────────────────────────────────────────────────┘
 *                                disconnect(), terminal code
 *
 *   in \ what happens | connect()  | answer           | link ended, silent, cut() | terminal code | disconnect()
 *   ------------------|------------|------------------|---------------------------|---------------|-------------
 *   disconnected      | connecting |                  |                           |               |
 *   connecting        |            | connected        | connecting, after a wait  | disconnected  | disconnected
 *   connected         |            | connected, other | connecting                | disconnected  | disconnected
 * ```
 *
 * There are at most two lines: the one in use, and one that is tried. A line that was let go of is never heard again; what the server sent on it
 * comes once more on the next, since it was not acknowledged.
 */
export class Connection {
  state: ConnectionState = { name: 'disconnected', code: 0, reason: 'connect() was not called' }

  readonly #options: ConnectionOptions
  readonly #session: Session
  readonly #route: Route
  readonly #pass: Pass
  readonly #above: Above
  readonly #watch: Watch
  #line: Line | undefined
  #candidate: Line | undefined
  /** Attempts in a row that have not led to a connection that lasted. */
  #failures = 0
  #attempt = 0
  #isLarge = false
  #turn = 0
  #retryTimer: ReturnType<typeof setTimeout> | undefined
  #upgradeTimer: ReturnType<typeof setTimeout> | undefined
  #upgrades = 0

  constructor(options: ConnectionOptions, session: Session, route: Route, pass: Pass, above: Above) {
    this.#options = options
    this.#session = session
    this.#route = route
    this.#pass = pass
    this.#above = above
    this.#watch = new Watch(options.silence, {
      probe: () => { this.#probe() },
      isDead: () => {
        if (this.#line !== undefined) this.#onclose(this.#line, { code: 0, reason: 'the network is silent' })
      },
    })
  }

  connect(): void {
    if (this.state.name !== 'disconnected') return
    this.#failures = this.#attempt = 0
    this.#begin('connect() was called')
  }

  disconnect(code: number, reason: string): void {
    if (this.state.name === 'disconnected') return
    const { secret, node } = this.#session
    this.#line?.link?.end()
    if (this.#line?.isConnected !== true && secret !== '') endSession(this.#options.start, { session: secret, node })
    this.#finish(code, reason)
  }

  /** Lets go of the transport in use, as if the network had broken. */
  cut(): void {
    if (this.#line !== undefined) this.#onclose(this.#line, { code: 0, reason: 'cut', cause: 'cut' })
  }

  forbid(name: TransportName): void {
    this.#route.forbid(name)
    if (this.#candidate?.name === name) this.#onclose(this.#candidate, { code: 0, reason: `${name} is forbidden` })
    if (this.#line?.name !== name) return
    this.#drop(this.#line)
    if (this.#candidate === undefined) this.#begin(`${name} is forbidden`)
    else this.#enter({ name: 'connecting', attempt: this.#attempt, reason: `${name} is forbidden` })
  }

  allow(name: TransportName): void {
    this.#route.allow(name)
    if (this.#isWaiting()) this.#begin(`${name} is allowed`)
    else this.#planUpgrade()
  }

  /** Something about the network may have changed. */
  doubt(isOtherNetwork: boolean): void {
    if (isOtherNetwork) {
      this.#route.forget()
      this.#upgrades = 0
    }
    if (this.#isWaiting()) this.#begin('the network may be back')
    else if (this.#line?.isConnected === true) this.#watch.check(Math.min(DOUBT, this.#options.silence / 2))
  }

  /** There is something to send. */
  wake(): void {
    if (this.#line?.isConnected === true) this.#line.link?.wake()
  }

  #isWaiting(): boolean {
    return this.state.name === 'connecting' && this.#line === undefined && this.#candidate === undefined
  }

  /** An attempt begins: first the token, then the next transport. */
  #begin(reason: string): void {
    const turn = ++this.#turn
    clearTimeout(this.#retryTimer)
    this.#attempt += 1
    this.#enter({ name: 'connecting', attempt: this.#attempt, reason })
    if (turn !== this.#turn) return
    const token = this.#pass.get()
    const go = (token: string): void => {
      const name = this.#route.next()
      if (name === undefined) this.#above.error(new AntiphonError(codes.disconnected, 'Every transport is forbidden; allow one', 'unsent', true))
      else this.#line = this.#open(name, token)
    }
    if (typeof token === 'string') {
      go(token)
      return
    }
    token.then(
      (token) => {
        if (turn === this.#turn && this.#line === undefined) go(token)
      },
      (error: unknown) => {
        if (turn !== this.#turn) return
        const cause = toError(error)
        this.#above.error(cause)
        if (cause.isTemporary) this.#retry(cause.message)
        else this.#finish(cause.code, cause.message)
      },
    )
  }

  #open(name: TransportName, token: string): Line {
    const session = this.#session
    const line: Line = { name, link: undefined, seq: 0, timer: undefined, isConnected: false, isProven: false, id: session.nextId() }
    const start: Start = {
      ...this.#options.start,
      timeout: this.#options.timeout,
      connect: () => {
        line.seq = session.ack
        if (line === this.#candidate) session.hold()
        return this.#connectLine(line.id, token)
      },
      collect: (after, one) => session.collect(after, one),
      ack: () => {
        const { ack } = session
        session.said(ack)
        return ack
      },
      covered: (n) => { session.cover(n) },
      refused: (n) => { session.refuse(n) },
      onseq: (seq) => {
        line.seq = seq
        if (line.isConnected && seq > session.received) this.#onclose(line, { code: 0, reason: 'messages are missing' })
      },
      onreply: (reply) => {
        if (line === this.#line || line === this.#candidate) this.#onreply(line, reply)
      },
      onclose: (end) => { this.#onclose(line, end) },
    }
    const patience = Math.min(this.#options.timeout * 2 ** Math.floor(this.#failures / 2), LONGEST_TIMEOUT)
    line.timer = setTimeout(() => {
      // Whatever holds one stream back holds back the other as well: a poll is next.
      if (name === 'http_stream' && line === this.#line) this.#route.failed('sse')
      this.#onclose(line, { code: 0, reason: `${name} did not answer` })
    }, patience)
    line.link = this.#options.transports[name](start)
    return line
  }

  #connectLine(id: number, token: string): string {
    const { secret, isResumable, ack } = this.#session
    const connect: ConnectRequest = {
      ...this.#above.request(),
      ...(token !== '' && { token }),
      ext: { session: 1 },
      ...(isResumable && { session: secret, ack }),
    }
    return JSON.stringify({ id, connect })
  }

  #onreply(line: Line, reply: Reply): void {
    if (line === this.#line) this.#watch.heard()
    const { push, connect, error } = reply
    if (push?.disconnect !== undefined) {
      // It never counts: whatever the server goes on with comes on another line.
      const { code, reason = '', reconnect_after_ms: after } = push.disconnect
      this.#onclose(line, { code, reason }, after)
    } else if (!line.isConnected) {
      if (reply.id !== line.id) return
      if (connect !== undefined) this.#adopt(line, connect)
      else if (error !== undefined) this.#refused(line, new AntiphonError(error.code, error.message ?? '', 'refused', error.temporary))
    } else if (reply.id === undefined && push === undefined) {
      this.#session.pong()
    } else {
      line.seq += 1
      if (line.seq <= this.#session.received) return
      this.#session.count(line.seq)
      if (push !== undefined) this.#above.push(push)
      else this.#session.settle(reply)
    }
  }

  /** The server has answered `connect` on this line: it is the one now. */
  #adopt(line: Line, result: ConnectResult): void {
    const session = this.#session
    const old = this.#line
    clearTimeout(line.timer)
    line.isConnected = true
    if (line === this.#candidate) {
      this.#candidate = undefined
      session.release()
      if (old !== undefined) this.#drop(old)
      this.#line = line
    }
    const isResumed = result.resumed === true && session.isResumable
    if (isResumed) {
      session.said(line.seq)
      session.resume(result.n ?? 0)
      // What comes next is what the server closed the socket for.
      if (this.#isLarge) session.refuse((result.n ?? 0) + 1)
    } else {
      line.seq = 0
      session.begin(result, () => { this.#above.begun(result) })
    }
    this.#isLarge = false
    this.#watch.start((result.ping ?? 0) * 1000)
    if (line.name === 'websocket') this.#prove(line)
    line.link?.ready({ session: session.secret, node: session.node }, isResumed ? (result.n ?? 0) : 0, session.isResumable)
    this.#above.transportChanged(line.name)
    if (line !== this.#line) return
    this.#enter({ name: 'connected', transport: line.name, client: session.client, isResumed })
    if (line !== this.#line) return
    this.#above.connected(result)
    // Whether commands get up and messages down at once is seen from this: a proxy may keep back what it likes.
    if (!line.isProven) this.#watch.check(this.#options.timeout)
    this.#planUpgrade()
  }

  /** Messages went both ways on this line. */
  #prove(line: Line): void {
    line.isProven = true
    this.#attempt = 0
    this.#route.worked(line.name)
    line.timer = setTimeout(() => {
      this.#failures = 0
      this.#route.lasted(line.name)
    }, LASTING)
  }

  #probe(): void {
    const line = this.#line
    this.#session.add({ ping: {} }, 'tie', () => {
      if (line !== undefined && line === this.#line && !line.isProven) this.#prove(line)
    }, () => undefined)
  }

  /** The server has refused `connect`. */
  #refused(line: Line, error: AntiphonError): void {
    const isExpired = error.code === TOKEN_EXPIRED && this.#pass.expire()
    this.#drop(line)
    this.#above.error(error)
    if (this.#line !== undefined) this.#planUpgrade()
    else if (isExpired || error.isTemporary) this.#retry(error.message)
    else this.#finish(error.code, error.message)
  }

  #onclose(line: Line, end: End, after?: number): void {
    const isCandidate = line === this.#candidate
    if (!isCandidate && line !== this.#line) return
    this.#drop(line)
    if (end.cause === 'large') this.#isLarge = true
    if (end.code === INSUFFICIENT_STATE) this.#session.forget()
    // The server's word is no sign of what the transport can do, and ours neither. One that has lasted has nothing counted against it.
    const isNext = end.code === 0 && end.cause === undefined && this.#route.failed(line.name)
    if (this.#line !== undefined) {
      this.#planUpgrade()
    } else if (this.#candidate !== undefined) {
      // The server may have ended this one because it has heard the other, whose answer is on its way.
    } else if (isTerminal(end.code)) {
      this.#finish(end.code, end.reason)
    } else if (isNext && this.#failures === 0) {
      this.#begin(`${line.name}: ${end.reason}`)
    } else if (after !== undefined) {
      this.#retryAfter(after, end.reason)
    } else {
      if (end.code === 0 && line.isProven) this.#failures = Math.min(this.#failures, BROKEN)
      this.#retry(end.reason)
    }
  }

  #retry(reason: string): void {
    const { backoff, random } = this.#options
    this.#retryAfter(backoffDelay(this.#failures, backoff, random), reason)
    this.#failures += 1
  }

  #retryAfter(delay: number, reason: string): void {
    clearTimeout(this.#retryTimer)
    this.#retryTimer = setTimeout(() => { this.#begin(reason) }, delay)
    this.#enter({ name: 'connecting', attempt: this.#attempt, reason, retryAt: Date.now() + delay })
  }

  /** Lets go of a line without a word. */
  #drop(line: Line): void {
    clearTimeout(line.timer)
    line.link?.close()
    if (line === this.#line) {
      this.#line = undefined
      this.#watch.stop()
      clearTimeout(this.#upgradeTimer)
    }
    if (line === this.#candidate) {
      this.#candidate = undefined
      this.#session.release()
    }
  }

  #finish(code: number, reason: string): void {
    this.#turn += 1
    clearTimeout(this.#retryTimer)
    if (this.#line !== undefined) this.#drop(this.#line)
    if (this.#candidate !== undefined) this.#drop(this.#candidate)
    this.#pass.stop()
    this.#session.end(reason)
    this.#enter({ name: 'disconnected', code, reason })
  }

  /** Plans to try a better transport, where there is one. */
  #planUpgrade(): void {
    clearTimeout(this.#upgradeTimer)
    const line = this.#line
    if (line?.isConnected !== true || !this.#session.isResumable) return
    const better = this.#route.better(line.name)
    const name = better[this.#upgrades % better.length]
    if (name === undefined) return
    const { upgradeAfter, random } = this.#options
    const delay = Math.min(upgradeAfter * 2 ** Math.min(this.#upgrades, 10), LONGEST_UPGRADE) * (0.5 + random() / 2)
    this.#upgradeTimer = setTimeout(() => {
      if (line !== this.#line || this.#candidate !== undefined) return
      this.#upgrades += 1
      Promise.resolve(this.#pass.get()).then(
        (token) => {
          if (line === this.#line && this.#candidate === undefined) this.#candidate = this.#open(name, token)
        },
        () => { this.#planUpgrade() },
      )
    }, delay)
  }

  #enter(state: ConnectionState): void {
    this.state = state
    this.#above.stateChanged(state)
  }
}
