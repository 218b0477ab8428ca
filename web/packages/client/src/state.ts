import type { Backoff } from './backoff.ts'
import type { AntiphonError } from './errors.ts'
import type { Command, ConnectRequest, ConnectResult, Push, SubscribeRequest } from './protocol.ts'
import type { TransportName } from './route.ts'
import type { Done, Fail, Kind } from './session.ts'
import type { Start, Transport } from './transport/transport.ts'

/** Where the connection stands, for people to see. */
export type ConnectionState =
  | { readonly name: 'disconnected'; readonly code: number; readonly reason: string }
  | {
      readonly name: 'connecting'
      /** Attempts since it was connected last. */
      readonly attempt: number
      readonly reason: string
      /** When the next attempt begins, in milliseconds since 1970; none while one is under way. */
      readonly retryAt?: number
    }
  | {
      readonly name: 'connected'
      readonly transport: TransportName
      readonly client: string
      /** Whether it is the session from before: nothing was missed. */
      readonly isResumed: boolean
    }

export interface ConnectionOptions {
  readonly transports: Readonly<Record<TransportName, Transport>>
  readonly start: Pick<Start, 'endpoints' | 'fetch' | 'WebSocket' | 'credentials'>
  /** Milliseconds until a transport has to have answered. */
  readonly timeout: number
  readonly silence: number
  readonly backoff: Backoff
  /** Milliseconds until a better transport is tried, beside the one that works. */
  readonly upgradeAfter: number
  readonly random: () => number
}

/** What the connection tells and asks. */
export interface Above {
  stateChanged(state: ConnectionState): void
  transportChanged(transport: TransportName): void
  error(error: AntiphonError): void
  /** What else `connect` has to say. */
  request(): ConnectRequest
  /** A session has begun; what is added to it now comes first. */
  begun(result: ConnectResult): void
  /** The server has answered `connect`, in whatever session. */
  connected(result: ConnectResult): void
  push(push: Push): void
}

/** What a client stands on: a connection of its own, or its part of one that tabs share. */
export interface Below {
  readonly state: ConnectionState
  /** Whether there is a session. */
  readonly isBegun: boolean
  connect(): void
  disconnect(): void
  /** See `Session.add`. */
  add(command: Command, kind: Kind, done: Done, fail: Fail): void
  /** Something about the network may have changed. */
  doubt(isOtherNetwork: boolean): void
  /** The browser keeps the page, which does not run until it is shown again. */
  rest(): void
  cut(): void
  forbid(transport: TransportName): void
  allow(transport: TransportName): void
}

/** What is told to who stands on it, and asked. */
export interface Upper extends Omit<Above, 'request' | 'connected'> {
  /** Where the client is in the channels that the server has subscribed it to. */
  subs(): Readonly<Record<string, SubscribeRequest>>
}
