/** Why there is no connection: the client's code (below 3000) or the server's, and a phrase for people. */
export interface Cause {
  readonly code: number
  readonly reason: string
}

/** What is true about the connection now. Each value comes from an event of the client, none is guessed. */
export type Status =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly transport: string; readonly client: string }
  | { readonly kind: 'waiting'; readonly cause: Cause; readonly attempt: number; readonly retryAt: number }
  | { readonly kind: 'retrying'; readonly cause: Cause; readonly attempt: number }
  | { readonly kind: 'disconnected'; readonly cause: Cause }

const TRANSPORTS: Readonly<Record<string, string>> = {
  websocket: 'WebSocket',
  http_stream: 'HTTP streaming',
  sse: 'server-sent events',
}

/** The status as one sentence, without the seconds left: a screen reader should hear it once, not every second. */
export function sentence(status: Status): string {
  switch (status.kind) {
    case 'idle':
      return 'Not connected yet.'
    case 'connecting':
      return 'Connecting…'
    case 'connected':
      return `Connected over ${TRANSPORTS[status.transport] ?? status.transport} as client ${status.client}`
    case 'waiting':
      return `Not connected: ${explain(status.cause)}.`
    case 'retrying':
      return `Not connected: ${explain(status.cause)}. Trying again now, attempt ${status.attempt.toString()}…`
    case 'disconnected':
      return `Disconnected: ${explain(status.cause)}.`
  }
}

/** Whole seconds until the next attempt, never below zero. */
export function secondsLeft(retryAt: number, now: number): number {
  return Math.max(0, Math.ceil((retryAt - now) / 1000))
}

function explain({ code, reason }: Cause): string {
  return code >= 3000 ? `the server said “${reason}” (code ${code.toString()})` : `${reason} (code ${code.toString()})`
}
