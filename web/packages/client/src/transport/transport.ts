import type { Reply } from '../protocol.ts'
import type { Batch } from '../session.ts'

/** How a link ended. */
export interface End {
  /** The server's code (3000 to 4999) where it gave one, else 0. */
  readonly code: number
  readonly reason: string
  /** `large`: what comes next is larger than the server takes. `cut`: it was our own wish. */
  readonly cause?: 'large' | 'cut'
}

/** Where the server is. */
export interface Endpoints {
  readonly websocket: string
  readonly http_stream: string
  readonly sse: string
  readonly poll: string
  readonly emulation: string
}

/** What a transport is given to begin with. Nothing in it is called before the transport has returned, nor after `close()`. */
export interface Start {
  readonly endpoints: Endpoints
  readonly fetch: typeof fetch
  readonly WebSocket: typeof WebSocket | undefined
  readonly credentials: RequestCredentials
  /** How long a request may take, in milliseconds. */
  readonly timeout: number
  /** The line of the `connect` command. Called once, when it is sent: it says what has arrived until then. */
  connect(): string
  /** Takes what is to be sent after command `after`. */
  collect(after: number, one?: boolean): Batch | undefined
  /** What may be acknowledged; it counts as told. */
  ack(): number
  /** The server has had the commands up to `n`. */
  covered(n: number): void
  /** The server does not take command `n`: it is too large. */
  refused(n: number): void
  /** The next message is the one after so many. */
  onseq(seq: number): void
  onreply(reply: Reply): void
  /** The link has ended by itself. */
  onclose(end: End): void
}

/** A session as HTTP knows it. */
export interface SessionName {
  readonly session: string
  readonly node: string
}

/** A way to the server: a WebSocket, or what looks like one. */
export interface Link {
  /** The server has answered `connect`: commands after number `after` may go. Without `mayRepeat` each may be sent once only. */
  ready(name: SessionName, after: number, mayRepeat: boolean): void
  /** There may be something to collect. */
  wake(): void
  /** Lets go of it; the session waits. */
  close(): void
  /** Lets go of it for good: the session is over. */
  end(): void
}

export type Transport = (start: Start) => Link

/** Posts a body and gives the response. Rejects where there is none, or when `signal` says so. */
export async function post(start: Start, url: string, body: string, signal: AbortSignal): Promise<Response> {
  // A text, which needs no question beforehand (CORS preflight) from another origin.
  return start.fetch(url, { method: 'POST', body, signal, credentials: start.credentials, cache: 'no-store' })
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
