import type { Fate } from './errors.ts'

/**
 * The client protocol in JSON: Centrifugo's, version 2, with the session of `docs/src/session.md`. Names are those of the wire.
 *
 * A message is one or more lines. A client writes {@link Command}s, a server {@link Reply}s: an answer has the id of its command, a
 * push has none, and an empty reply is a ping, which an empty command answers.
 */

/** A place in a channel's stream. */
export interface Position {
  /** How many publications the stream has had. */
  readonly offset: number
  /** Which stream it is: a channel that lost its history begins another one. */
  readonly epoch: string
}

export interface Command {
  readonly id?: number
  readonly connect?: ConnectRequest
  readonly subscribe?: SubscribeRequest
  readonly unsubscribe?: ChannelRequest
  readonly publish?: { readonly channel: string; readonly data: unknown }
  readonly presence?: ChannelRequest
  readonly presence_stats?: ChannelRequest
  readonly history?: HistoryRequest
  readonly ping?: Record<string, never>
  readonly send?: { readonly data: unknown }
  readonly rpc?: { readonly method?: string; readonly data: unknown }
  readonly refresh?: { readonly token: string }
  readonly sub_refresh?: { readonly channel: string; readonly token: string }
  /** Its number in the session, from 1. */
  readonly n?: number
  /** How many messages of the session the client has had. */
  readonly ack?: number
}

export interface ChannelRequest {
  readonly channel: string
}

export interface ConnectRequest {
  readonly token?: string
  readonly data?: unknown
  readonly name?: string
  readonly version?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly subs?: Readonly<Record<string, SubscribeRequest>>
  readonly ext?: { readonly session: 1 }
  readonly session?: string
  readonly ack?: number
}

export interface SubscribeRequest extends Partial<Position> {
  readonly channel?: string
  readonly token?: string
  readonly recover?: boolean
  readonly data?: unknown
  readonly positioned?: boolean
  readonly recoverable?: boolean
  readonly join_leave?: boolean
}

export interface HistoryRequest extends ChannelRequest {
  readonly limit?: number
  readonly since?: Position
  readonly reverse?: boolean
}

export interface Reply {
  readonly id?: number
  readonly error?: ErrorReply
  readonly push?: Push
  readonly connect?: ConnectResult
  readonly subscribe?: SubscribeResult
  readonly presence?: { readonly presence: Readonly<Record<string, WireInfo>> }
  readonly presence_stats?: { readonly num_clients: number; readonly num_users: number }
  readonly history?: { readonly publications?: readonly Publication[] } & Partial<Position>
  readonly rpc?: { readonly data?: unknown }
  readonly refresh?: Lasting
  readonly sub_refresh?: Lasting
}

export interface ErrorReply {
  readonly code: number
  readonly message?: string
  /** Whether the same command may succeed later. */
  readonly temporary?: boolean
  /** From the host of a shared connection, where it is another one than `refused`. */
  readonly fate?: Fate
}

/** What ends some time. */
export interface Lasting {
  readonly expires?: boolean
  /** In so many seconds. */
  readonly ttl?: number
}

export interface ConnectResult extends Lasting {
  readonly client?: string
  readonly data?: unknown
  readonly subs?: Readonly<Record<string, SubscribeResult>>
  /** Seconds from one ping to the next; none or 0 without pings. */
  readonly ping?: number
  /** Whether pings want an answer. */
  readonly pong?: boolean
  readonly session?: string
  readonly node?: string
  readonly ext?: Readonly<Record<string, number>>
  readonly resumed?: boolean
  /** The number of the last command that the session has had. */
  readonly n?: number
  /** How long the session waits for a client without a transport, in seconds. */
  readonly session_ttl?: number
}

export interface SubscribeResult extends Lasting, Partial<Position> {
  readonly recoverable?: boolean
  readonly publications?: readonly Publication[]
  readonly recovered?: boolean
  readonly was_recovering?: boolean
  readonly positioned?: boolean
  readonly data?: unknown
}

export interface Publication {
  readonly data?: unknown
  readonly info?: WireInfo
  readonly offset?: number
  readonly tags?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. */
  readonly time?: number
}

export interface WireInfo {
  readonly user?: string
  readonly client?: string
  readonly conn_info?: unknown
  readonly chan_info?: unknown
}

export interface Push {
  readonly channel?: string
  readonly pub?: Publication
  readonly join?: { readonly info?: WireInfo }
  readonly leave?: { readonly info?: WireInfo }
  readonly unsubscribe?: { readonly code: number; readonly reason?: string }
  readonly message?: { readonly data?: unknown }
  readonly subscribe?: SubscribeResult
  readonly disconnect?: DisconnectPush
  readonly refresh?: Lasting
}

export interface DisconnectPush {
  readonly code: number
  readonly reason?: string
  /** Not before so many milliseconds. */
  readonly reconnect_after_ms?: number
}

/** Whether a client stays away after the server ended its connection with this code. */
export function isTerminal(code: number): boolean {
  return (code >= 3500 && code < 4000) || (code >= 4500 && code < 5000)
}

/** The server cannot go on with the session. */
export const INSUFFICIENT_STATE = 3010
/** The token has expired: the same with a fresh one may succeed. */
export const TOKEN_EXPIRED = 109
/** What the client wants to recover from is not in the stream. */
export const UNRECOVERABLE_POSITION = 112

/**
 * Reads the replies of one message, of which empty lines are no part.
 *
 * @throws SyntaxError when a line is no JSON, TypeError when one is no object.
 */
export function parseReplies(message: string): Reply[] {
  return message.split('\n').filter((line) => line.trim() !== '').map((line) => {
    const reply: unknown = JSON.parse(line)
    if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) throw new TypeError(`A reply is an object, not ${line.slice(0, 40)}`)
    return reply
  })
}
