import { backoffDelay } from './backoff.ts'
import { Connection } from './connection.ts'
import { defaults, endpointsOf, type Options } from './options.ts'
import { TOKEN_EXPIRED, type Command, type ConnectRequest, type Push } from './protocol.ts'
import { Route, type TransportName } from './route.ts'
import { Session, type Done, type Fail, type Kind } from './session.ts'
import type { Below, ConnectionOptions, ConnectionState, Upper } from './state.ts'
import { Pass } from './token.ts'
import { httpStream } from './transport/http-stream.ts'
import { poll } from './transport/poll.ts'
import { sse } from './transport/sse.ts'
import { websocket } from './transport/websocket.ts'

/** Where the server is, and what leads there. */
export function startOf(url: string, options: Options): ConnectionOptions['start'] {
  return {
    endpoints: endpointsOf(url),
    fetch: options.fetch ?? ((...request) => fetch(...request)),
    WebSocket: options.WebSocket ?? (globalThis as { WebSocket?: typeof WebSocket }).WebSocket,
    credentials: options.credentials ?? 'same-origin',
  }
}

/** A session of one's own, with the connection that carries it and the token that opens it. */
export class OwnConnection implements Below {
  readonly #session: Session
  readonly #connection: Connection
  readonly #pass: Pass
  readonly #upper: Upper
  readonly #options: Options
  #refreshFailures = 0

  /** @throws TypeError when `url` is none. */
  constructor(url: string, options: Options, upper: Upper) {
    const all = { ...defaults, ...options }
    this.#options = options
    this.#upper = upper
    this.#session = new Session({ ...all.buffer, message: all.messageSize }, () => { this.#connection.wake() })
    this.#pass = new Pass(options.token, (token) => { this.#refresh(token) }, (error) => {
      upper.error(error)
      if (error.isTemporary) this.#pass.retry(this.#refreshDelay())
      else this.#connection.disconnect(error.code, error.message)
    })
    this.#connection = new Connection(
      { ...all, start: startOf(url, options), random: () => this.#random(), transports: { websocket, http_stream: httpStream, sse, poll } },
      this.#session,
      new Route(all.transports),
      this.#pass,
      {
        ...upper,
        request: () => this.#request(),
        connected: (result) => { this.#pass.lasts(result) },
        push: (push) => { this.#pushed(push) },
      },
    )
  }

  get state(): ConnectionState {
    return this.#connection.state
  }

  get isBegun(): boolean {
    return this.#session.isBegun
  }

  connect(): void {
    this.#connection.connect()
  }

  disconnect(): void {
    this.#connection.disconnect(0, 'disconnect() was called')
  }

  add(command: Command, kind: Kind, done: Done, fail: Fail): void {
    this.#session.add(command, kind, done, fail)
  }

  doubt(isOtherNetwork: boolean): void {
    this.#connection.doubt(isOtherNetwork)
  }

  rest(): void {
    // The session goes on when the page does, if the server still has it.
  }

  cut(): void {
    this.#connection.cut()
  }

  forbid(transport: TransportName): void {
    this.#connection.forbid(transport)
  }

  allow(transport: TransportName): void {
    this.#connection.allow(transport)
  }

  #request(): ConnectRequest {
    const { data, name, version, headers } = this.#options
    const subs = this.#upper.subs()
    return {
      ...(data !== undefined && { data }),
      ...(name !== undefined && { name }),
      ...(version !== undefined && { version }),
      ...(headers !== undefined && { headers }),
      ...(Object.keys(subs).length > 0 && { subs }),
    }
  }

  #pushed(push: Push): void {
    if (push.refresh !== undefined) this.#pass.lasts(push.refresh)
    else this.#upper.push(push)
  }

  #refresh(token: string): void {
    this.#session.add(
      { refresh: { token } },
      'tie',
      (reply) => {
        this.#refreshFailures = 0
        this.#pass.lasts(reply?.refresh ?? {})
      },
      (error) => {
        this.#upper.error(error)
        if (error.isTemporary || (error.code === TOKEN_EXPIRED && this.#pass.expire())) this.#pass.retry(this.#refreshDelay())
        else this.#connection.disconnect(error.code, error.message)
      },
    )
  }

  #refreshDelay(): number {
    return backoffDelay(this.#refreshFailures++, this.#options.backoff ?? defaults.backoff, () => this.#random())
  }

  #random(): number {
    return (this.#options.random ?? Math.random)()
  }
}
