/**
 * What the admin API answers. Times (`at`, `*_at`) are milliseconds since 1970, sizes are bytes, `*_ms` and `*_s` are
 * durations. `null` means that there is none or that it is not known.
 */

/** What a client may listen on, in the order in which charts and lists show it. */
export const TRANSPORTS = ['websocket', 'http_stream', 'sse', 'poll', 'event_source', 'raw', 'echo'] as const
export type Transport = (typeof TRANSPORTS)[number]

/** Those that have a session: the connections that are listed. The others are only counted. */
export const LISTED = ['websocket', 'http_stream', 'sse', 'poll', 'event_source'] as const satisfies readonly Transport[]

/** Any value that JSON can write. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** Where a message stands in the history of its channel. */
export interface Position {
  offset: number
  epoch: string
}

/** One second of the server. */
export interface Point {
  at: number
  connections: Record<Transport, number>
  clients: number
  users: number
  sessions: number
  subscriptions: number
  channels: number
  publications_per_s: number
  deliveries_per_s: number
  commands_per_s: number
  bytes_in_per_s: number
  bytes_out_per_s: number
  lag_p50_ms: number | null
  lag_p99_ms: number | null
  slow_clients: number
  errors: number
  memory_bytes: number
  cpu: number
  history_bytes: number
  history_publications: number
}

export interface Stats {
  now: number
  interval_ms: number
  version: string
  node: { uid: string; name: string; uptime_s: number; started_at: number }
  development: boolean
  cores: number
  points: Point[]
}

export interface Connection {
  client: string
  user: string
  name: string
  version: string
  transport: Transport
  encoding: 'json' | 'protobuf' | 'raw'
  address: string | null
  connected_at: number
  state: 'connected' | 'waiting'
  channels: number
  queue_bytes: number
  rtt_ms: number | null
  traced: boolean
}

export interface Subscription {
  channel: string
  position: Position | null
  recoverable: boolean
  join_leave: boolean
  server_side: boolean
}

export interface ConnectionDetail extends Connection {
  subscriptions: Subscription[]
  /** Oldest first, the last sixteen. */
  transports: { at: number; transport: Transport; address: string | null }[]
  resumable: boolean
  waiting_until: number | null
  info: Json
  expires_at: number | null
  messages_in: number
  messages_out: number
}

export interface TraceEntry {
  n: number
  at: number
  direction: 'in' | 'out' | 'event'
  text: string
  size: number
}

export interface Trace {
  on: boolean
  until: number | null
  next: number
  lost: number
  entries: TraceEntry[]
}

export interface Channel {
  channel: string
  members: number
  /** Publications per second over the last ten seconds. */
  rate: number
}

export interface ChannelDetail extends Channel {
  position: Position | null
  namespace: string
  options: Record<string, Json>
}

export interface Member {
  client: string
  user: string
  conn_info: Json
  chan_info: Json
}

export interface HistoryMessage {
  offset: number
  at: number
  data: Json
  size: number
  tags: Record<string, string> | null
  info: Json
}

export interface History {
  /** Newest first. */
  messages: HistoryMessage[]
  position: Position | null
  next: number | null
}

export interface ServerNode {
  uid: string
  name: string
  version: string
  clients: number
  users: number
  subscriptions: number
  channels: number
  uptime_s: number
  is_this: boolean
}

export type Origin = 'default' | 'development' | 'file' | 'environment' | 'flag'

export interface Setting {
  key: string
  value: Json
  origin: Origin
  secret: boolean
  doc: string
}

export interface Config {
  file: string | null
  development: boolean
  settings: Setting[]
}

/** A page of a list: how many match in all, and where the next page begins. */
export interface Page {
  total: number
  next: string | null
}
