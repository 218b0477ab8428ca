/** A WebSocket class and a `fetch` that lead to a `FakeServer`, in virtual time, and that break when the test wants. */

import { parseReplies, type Command, type Reply } from '../../src/protocol.ts'
import type { TransportName } from '../../src/route.ts'
import { Exchange, Pipe } from './exchange.ts'
import type { Random } from './random.ts'
import type { Carrier, FakeServer, ServerSession } from './server.ts'

/** What may go wrong with one thing that is sent. */
export type Fault = 'none' | 'lost' | 'cut'

export interface Faults {
  /** Milliseconds on the way, on a route such as `websocket` or `emulation`. */
  latency: (route: string) => number
  /** Asked at every step: `lost` breaks before it has arrived, `cut` breaks after that, so that no answer returns. */
  fault: () => Fault
  /** Transports that cannot be had. */
  blocked: Set<TransportName>
  /** Transports that connect and say nothing. */
  mute: Set<TransportName>
  /** Nothing gets through, and nobody is told. */
  isDead: boolean
  /** Where chunks of a response are split. */
  split: (text: string) => string[]
  /** The status of an answer to `/emulation` in place of the server's. */
  emulation: ((commands: Command[]) => number | undefined) | undefined
}

export function calm(): Faults {
  return {
    latency: () => 1,
    fault: () => 'none',
    blocked: new Set(),
    mute: new Set(),
    isDead: false,
    split: (text) => [text],
    emulation: undefined,
  }
}

/** Latencies, faults and splits at random. */
export function stormy(random: Random, faultiness: () => number): Faults {
  const slow = random.pick(['none', 'websocket', 'http_stream', 'emulation'])
  return {
    ...calm(),
    latency: (route) => random.between(0, route === slow ? 300 : 40),
    fault: () => (random.chance(faultiness()) ? (random.chance(0.5) ? 'lost' : 'cut') : 'none'),
    split: (text) => {
      const at = random.between(0, text.length)
      return [text.slice(0, at), text.slice(at)].filter((part) => part !== '')
    },
  }
}

const commandsOf = (text: string): Command[] => parseReplies(text) as unknown as Command[]

export class FakeNetwork {
  readonly server: FakeServer
  readonly faults: Faults
  /** Every way that was tried, in order. */
  readonly tried: TransportName[] = []
  readonly posts: string[] = []
  readonly socketCloses: number[] = []
  readonly #living = new Set<() => void>()

  constructor(server: FakeServer, faults: Faults) {
    this.server = server
    this.faults = faults
  }

  /** Breaks every connection and request there is. */
  breakAll(): void {
    for (const breaks of [...this.#living]) breaks()
  }

  get WebSocket(): typeof WebSocket {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const network = this
    return class {
      onopen: (() => void) | null = null
      onmessage: ((event: { data: string }) => void) | null = null
      onclose: ((event: { code: number; reason: string }) => void) | null = null
      onerror: (() => void) | null = null
      readonly #up = new Pipe(network.faults, 'websocket')
      readonly #down = new Pipe(network.faults, 'websocket')
      readonly #breaks = (): void => { this.#end(1006, '') }
      #session: ServerSession | undefined
      #isOver = false
      readonly #isMute = network.faults.mute.has('websocket')
      readonly #carrier: Carrier = {
        kind: 'websocket',
        write: (reply) => { this.#write(reply) },
        close: (code, reason) => { this.#down.send(() => { this.#end(code === 0 ? 1006 : code, reason) }) },
      }

      constructor() {
        network.tried.push('websocket')
        network.#living.add(this.#breaks)
        this.#up.send(() => {
          if (network.faults.blocked.has('websocket') || network.faults.fault() !== 'none') this.#end(1006, '')
          else if (!this.#isOver) this.onopen?.()
        })
      }

      send(text: string): void {
        const fault = network.faults.fault()
        this.#up.send(() => {
          if (this.#isOver || this.#isMute) return
          if (fault !== 'lost') this.#take(commandsOf(text))
          if (fault !== 'none') this.#end(1006, '')
        })
      }

      close(code: number): void {
        network.socketCloses.push(code)
        const session = this.#session
        this.#isOver = true
        network.#living.delete(this.#breaks)
        this.#up.send(() => {
          if (session === undefined) return
          if (code === 1000) network.server.end(session)
          else network.server.detach(session, this.#carrier)
        })
      }

      #take(commands: Command[]): void {
        const rest = commands[0]?.connect === undefined ? commands : commands.slice(1)
        if (rest !== commands && commands[0] !== undefined) this.#session = network.server.connect(this.#carrier, commands[0])
        if (this.#session?.carrier !== this.#carrier) return
        const expected = network.server.take(this.#session, rest)
        if (expected !== undefined) this.#carrier.close(3501, `bad request: the next command has n = ${expected}`)
      }

      #write(reply: Reply): void {
        const fault = network.faults.fault()
        this.#down.send(() => {
          if (this.#isOver) return
          if (fault !== 'lost') this.onmessage?.({ data: JSON.stringify(reply) })
          if (fault !== 'none') this.#end(1006, '')
        })
      }

      #end(code: number, reason: string): void {
        network.#living.delete(this.#breaks)
        if (this.#session !== undefined) network.server.detach(this.#session, this.#carrier)
        if (this.#isOver) return
        this.#isOver = true
        this.onclose?.({ code, reason })
      }
    } as unknown as typeof WebSocket
  }

  readonly fetch = (async (url: string, init: RequestInit): Promise<Response> => {
    const body = init.body as string
    this.posts.push(body)
    const route = url.slice(url.lastIndexOf('/') + 1)
    if (route !== 'emulation') this.tried.push(route as TransportName)
    const fault = this.faults.fault()
    return new Promise((resolve, reject) => {
      const request = new Exchange(this, route, resolve, reject, init.signal ?? undefined)
      request.up.send(() => {
        if (request.isOver) return
        if (fault === 'lost') request.fail()
        else if (this.faults.blocked.has(route as TransportName)) request.answer(503, '')
        else {
          this.#handle(route, body, request)
          if (fault === 'cut') request.fail()
        }
      })
    })
  }) as typeof fetch

  #handle(route: string, body: string, request: Exchange): void {
    if (route === 'emulation') this.#emulation(body, request)
    else if (route === 'poll') this.#poll(body, request)
    else if (!this.faults.mute.has(route as TransportName)) this.#stream(route, body, request)
  }

  #emulation(body: string, request: Exchange): void {
    const { session: secret, data, close } = JSON.parse(body) as { session: string; data: string; close?: boolean }
    const session = this.server.sessions.get(secret)
    if (session === undefined) request.answer(410, '{"error":"there is no such session"}')
    else if (close === true) {
      this.server.end(session)
      request.answer(204, '')
    } else {
      const commands = commandsOf(data)
      const status = this.faults.emulation?.(commands)
      if (status !== undefined) {
        request.answer(status, '')
        return
      }
      const expected = this.server.take(session, commands)
      if (expected === undefined) request.answer(204, '')
      else request.answer(409, JSON.stringify({ error: 'not the next one', expected }))
    }
  }

  #stream(route: string, body: string, request: Exchange): void {
    const frame = (reply: Reply): string => (route === 'sse' ? `data: ${JSON.stringify(reply)}\n\n` : `${JSON.stringify(reply)}\n`)
    const carrier: Carrier = {
      kind: 'stream',
      write: (reply) => { request.write(frame(reply)) },
      close: (code, reason) => {
        if (code >= 3000) request.write(frame({ push: { disconnect: { code, reason } } }))
        request.end()
      },
    }
    request.head(200)
    if (route === 'sse') request.write(': padding\n\n')
    const session = this.server.connect(carrier, commandsOf(body)[0] ?? {})
    request.onend = () => { if (session !== undefined) this.server.detach(session, carrier) }
  }

  #poll(body: string, request: Exchange): void {
    const { session: secret, ack = 0, commands = [] } = JSON.parse(body) as { session?: string; ack?: number; commands?: Command[] }
    const gathered: Reply[] = []
    let session = secret === undefined ? undefined : this.server.sessions.get(secret)
    let seq = ack
    let isWaiting = false
    let timer: ReturnType<typeof setTimeout> | undefined
    const respond = (): void => {
      clearTimeout(timer)
      isWaiting = false
      if (session?.carrier === carrier) {
        session.carrier = undefined
        this.server.wait(session)
      }
      request.answer(200, JSON.stringify({ seq, replies: gathered }))
    }
    const carrier: Carrier = {
      kind: 'poll',
      write: (reply) => {
        gathered.push(reply)
        // What is said at the same moment goes together.
        if (isWaiting) queueMicrotask(() => { if (isWaiting) respond() })
      },
      close: (code, reason) => {
        if (code >= 3000) gathered.push({ push: { disconnect: { code, reason } } })
        if (isWaiting || code === 3010) respond()
      },
    }
    request.onend = () => {
      clearTimeout(timer)
      if (isWaiting && session !== undefined) this.server.detach(session, carrier)
      isWaiting = false
    }
    const [connect] = commands
    if (secret === undefined && connect?.connect !== undefined) {
      seq = connect.connect.ack ?? 0
      if (this.faults.mute.has('poll')) return
      session = this.server.connect(carrier, connect)
      if (session === undefined) {
        if (!request.isOver) respond()
        return
      }
      if (gathered[0]?.connect?.resumed !== true) seq = 0
      respond()
      return
    }
    if (session === undefined) {
      request.answer(410, '{"error":"there is no such session"}')
      return
    }
    if (ack < session.dropped) {
      request.answer(410, '{"error":"late"}')
      return
    }
    session.carrier?.close(1000, '')
    this.server.attach(session, carrier)
    this.server.acknowledge(session, ack)
    gathered.push(...this.server.newer(session, ack))
    if (gathered.length > 0) respond()
    else {
      isWaiting = true
      timer = setTimeout(respond, 25_000)
    }
  }

  live(breaks: () => void): () => void {
    this.#living.add(breaks)
    return () => this.#living.delete(breaks)
  }
}
