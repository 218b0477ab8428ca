import { TRANSPORTS, type ConnectionState, type TransportName } from '@antiphon/client'

const TITLES: Readonly<Record<TransportName, string>> = {
  websocket: 'WebSocket',
  http_stream: 'HTTP streaming',
  sse: 'Server-sent events',
  poll: 'Long polling',
}

export function titleOf(transport: TransportName): string {
  return TITLES[transport]
}

/** The state as one sentence, without the seconds left: a screen reader should hear it once, not every second. */
export function sentence(state: ConnectionState): string {
  switch (state.name) {
    case 'connected':
      return `Connected over ${titleOf(state.transport)}`
    case 'connecting':
      return state.retryAt === undefined && state.attempt === 1 ? 'Connecting…' : `Not connected: ${spoken(state.reason)}.`
    case 'disconnected':
      return state.code === 0 ? 'Disconnected by this page.' : `Disconnected: the server said “${state.reason}” (code ${state.code.toString()}).`
  }
}

/** Whole seconds until the next attempt, never below zero. */
export function secondsLeft(retryAt: number, now: number): number {
  return Math.max(0, Math.ceil((retryAt - now) / 1000))
}

/** A reason of the client, with the transports under the names that people know. */
export function spoken(reason: string): string {
  return TRANSPORTS.reduce((text, name) => text.replace(new RegExp(`\\b${name}\\b`), titleOf(name)), reason)
}
