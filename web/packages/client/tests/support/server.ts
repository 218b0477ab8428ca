/** A server of `docs/src/session.md` that lives in the test. What carries its bytes is in `network.ts`. */

import type { Command, ConnectResult, Publication, Push, Reply, SubscribeRequest, SubscribeResult } from '../../src/protocol.ts'

/** What a client listens to. */
export interface Carrier {
  readonly kind: 'websocket' | 'stream' | 'poll'
  write(reply: Reply): void
  /** Ends it; with a code where the server says why. */
  close(code: number, reason: string): void
}

export interface ServerSession {
  readonly secret: string
  readonly client: string
  readonly isResumable: boolean
  readonly channels: Set<string>
  /** What was said, from the message after `dropped` on. */
  log: Reply[]
  dropped: number
  received: number
  carrier: Carrier | undefined
  lapse: ReturnType<typeof setTimeout> | undefined
}

interface Stream {
  readonly epoch: string
  readonly publications: Publication[]
  /** The offset of the oldest that is kept. */
  first?: number
}

export class FakeServer {
  readonly sessions = new Map<string, ServerSession>()
  readonly streams = new Map<string, Stream>()
  /** Every command that was carried out, in order. */
  readonly done: Command[] = []
  readonly connects: Command[] = []
  readonly knobs = {
    hasSessions: true,
    hasHistory: true,
    ttl: 60_000,
    ping: 25,
    /** Answers in place of the server, where it gives something. */
    answer: undefined as ((command: Command) => Reply | 'silence' | undefined) | undefined,
    connect: {} as ConnectResult,
  }
  #count = 0

  /** A `connect`, on a new carrier. Gives the session, or `undefined` where it was refused. */
  connect(carrier: Carrier, command: Command): ServerSession | undefined {
    this.connects.push(command)
    const refusal = this.knobs.answer?.(command)
    if (refusal === 'silence') return undefined
    if (refusal !== undefined) {
      carrier.write({ id: command.id ?? 0, ...refusal })
      return undefined
    }
    const { session: secret, ack = 0, ext } = command.connect ?? {}
    const found = secret === undefined ? undefined : this.sessions.get(secret)
    if (found !== undefined && ack < found.dropped) {
      // It is older than what the client has said since.
      carrier.close(3010, 'insufficient state')
      return undefined
    }
    if (found !== undefined && ack > found.dropped + found.log.length) {
      this.end(found)
      carrier.close(3010, 'insufficient state')
      return undefined
    }
    const session = found ?? this.#newSession(ext?.session === 1)
    const old = session.carrier
    session.carrier = undefined
    old?.close(1000, 'the session goes on elsewhere')
    this.attach(session, carrier)
    carrier.write({
      id: command.id ?? 0,
      connect: {
        client: session.client,
        ping: carrier.kind === 'poll' ? 0 : this.knobs.ping,
        pong: carrier.kind !== 'poll',
        session: session.secret,
        node: 'node',
        ...(session.isResumable && { ext: { session: 1 }, session_ttl: this.knobs.ttl / 1000, n: session.received }),
        ...(found !== undefined && { resumed: true }),
        ...(found === undefined && this.knobs.connect),
      },
    })
    if (found !== undefined) {
      this.#ack(session, ack)
      for (const reply of session.log) carrier.write(reply)
    }
    return session
  }

  /** The client reads from this. */
  attach(session: ServerSession, carrier: Carrier): void {
    clearTimeout(session.lapse)
    session.carrier = carrier
  }

  /** The carrier is gone. */
  detach(session: ServerSession, carrier: Carrier): void {
    if (session.carrier !== carrier) return
    session.carrier = undefined
    if (!session.isResumable) this.end(session)
    else this.wait(session)
  }

  wait(session: ServerSession): void {
    clearTimeout(session.lapse)
    session.lapse = setTimeout(() => { this.end(session) }, this.knobs.ttl)
  }

  end(session: ServerSession): void {
    clearTimeout(session.lapse)
    this.sessions.delete(session.secret)
    session.carrier = undefined
  }

  /** Carries out commands. Gives the number that was expected, where another one came. */
  take(session: ServerSession, commands: readonly Command[]): number | undefined {
    for (const command of commands) {
      if (command.ack !== undefined) this.#ack(session, command.ack)
      const isNothing = command.id === undefined && command.send === undefined
      if (isNothing) continue
      if (session.isResumable) {
        const expected = session.received + 1
        if (command.n === undefined || command.n > expected) return expected
        if (command.n < expected) continue
        session.received = expected
      }
      this.#carryOut(session, command)
    }
    return undefined
  }

  acknowledge(session: ServerSession, ack: number): void {
    this.#ack(session, ack)
  }

  /** What a poll with this `ack` gets. */
  newer(session: ServerSession, ack: number): Reply[] {
    return session.log.slice(Math.max(0, ack - session.dropped))
  }

  publish(channel: string, data: unknown): void {
    const stream = this.#stream(channel)
    const offset = stream.publications.length + 1
    const publication: Publication = { data, ...(this.knobs.hasHistory && { offset }) }
    stream.publications.push(publication)
    for (const session of this.sessions.values()) {
      if (session.channels.has(channel)) this.push(session, { channel, pub: publication })
    }
  }

  push(session: ServerSession, push: Push): void {
    this.#say(session, { push })
  }

  /** All of the clients' publications in a channel. */
  published(channel: string): unknown[] {
    return this.#stream(channel).publications.map(({ data }) => data)
  }

  /** The process ends and starts anew; only histories are kept. */
  restart(): void {
    for (const session of [...this.sessions.values()]) {
      const { carrier } = session
      this.end(session)
      carrier?.close(0, '')
    }
  }

  #newSession(isResumable: boolean): ServerSession {
    this.#count += 1
    const session: ServerSession = {
      secret: `secret-${this.#count}`,
      client: `client-${this.#count}`,
      isResumable: isResumable && this.knobs.hasSessions,
      channels: new Set(),
      log: [],
      dropped: 0,
      received: 0,
      carrier: undefined,
      lapse: undefined,
    }
    this.sessions.set(session.secret, session)
    return session
  }

  #ack(session: ServerSession, ack: number): void {
    const count = Math.min(Math.max(ack - session.dropped, 0), session.log.length)
    session.log.splice(0, count)
    session.dropped += count
  }

  #say(session: ServerSession, reply: Reply): void {
    session.log.push(reply)
    session.carrier?.write(reply)
  }

  #carryOut(session: ServerSession, command: Command): void {
    this.done.push(command)
    const reply = this.knobs.answer?.(command) ?? this.#answer(session, command)
    if (reply !== 'silence' && command.id !== undefined) this.#say(session, { id: command.id, ...reply })
    // The order of Centrifugo: the publisher hears its publication first.
    if (command.publish !== undefined && reply !== 'silence' && reply.error === undefined) this.publish(command.publish.channel, command.publish.data)
  }

  #answer(session: ServerSession, command: Command): Omit<Reply, 'id'> {
    const { subscribe, unsubscribe, history, presence, rpc } = command
    if (subscribe !== undefined) return { subscribe: this.#subscribe(session, subscribe) }
    if (unsubscribe !== undefined) session.channels.delete(unsubscribe.channel)
    if (history !== undefined) {
      const { limit = 0, since, reverse = false } = history
      const { publications, epoch, first = 1 } = this.#stream(history.channel)
      if (since !== undefined && since.epoch !== epoch) return { error: { code: 112, message: 'unrecoverable position' } }
      const wanted = publications.filter(({ offset = 0 }) => offset >= first && (since === undefined || (reverse ? offset < since.offset : offset > since.offset)))
      const found = reverse ? wanted.reverse() : wanted
      return { history: { publications: limit < 0 ? found : found.slice(0, limit), epoch, offset: publications.length } }
    }
    if (presence !== undefined) return { presence: { presence: { [session.client]: { user: '42', client: session.client, conn_info: { name: 'Ann' } } } } }
    if (rpc !== undefined) return { rpc: { data: rpc.data } }
    return {}
  }

  #subscribe(session: ServerSession, { channel = '', recover, epoch, offset = 0 }: SubscribeRequest): SubscribeResult {
    session.channels.add(channel)
    if (!this.knobs.hasHistory) return {}
    const stream = this.#stream(channel)
    const position = { recoverable: true, positioned: true, epoch: stream.epoch }
    if (recover !== true) return { ...position, offset: stream.publications.length }
    if (epoch !== stream.epoch || offset + 1 < (stream.first ?? 1)) return { ...position, offset: stream.publications.length, was_recovering: true }
    return { ...position, offset, was_recovering: true, recovered: true, publications: stream.publications.slice(offset) }
  }

  #stream(channel: string): Stream {
    const stream = this.streams.get(channel) ?? { epoch: `epoch-${channel}`, publications: [] }
    this.streams.set(channel, stream)
    return stream
  }
}
