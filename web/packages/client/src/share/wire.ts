import { AntiphonError, type Fate } from '../errors.ts'
import type { Options } from '../options.ts'
import type { ConnectResult, Push, Reply, SubscribeRequest } from '../protocol.ts'
import type { TransportName } from '../route.ts'
import type { ConnectionState } from '../state.ts'
import type { SessionName } from '../transport/transport.ts'

/**
 * What tabs and the host of their connection say to each other. Each message is an {@link Envelope}, so that nothing counts that was meant for, or
 * comes from, a host that is no more.
 *
 * ```text
 *   tab                                   host
 *    │ ◄──────────── hello ──────────────── │   by whichever way: a SharedWorker's port, or a BroadcastChannel for each tab
 *    │ ───────────── join ────────────────► │   lock, url, options, where the tab is
 *    │ ◄── refused, or state and begun ──── │   begun: there is a session; channels subscribe, commands go
 *    │ ───────────── say ─────────────────► │   commands, as to a server
 *    │ ◄─── reply, push, state, begun ───── │
 *    │ ───────────── heard ───────────────► │   every 64 messages: the host waits for it after 8,192
 *    │ ───────────── bye ─────────────────► │   or the tab's lock is free: it has crashed
 * ```
 */
export interface ToHost {
  readonly join?: Join
  /** Commands, one a line. */
  readonly say?: string
  /** So many messages have been read. */
  readonly heard?: number
  /** Something about the network may have changed; whether it is another one. */
  readonly doubt?: boolean
  readonly cut?: true
  readonly forbid?: TransportName
  readonly allow?: TransportName
  /** The answer to `wants`. */
  readonly token?: { readonly id: number; readonly token?: string; readonly error?: WireError }
  readonly bye?: true
}

export interface ToTab {
  readonly hello?: true
  /** The tab may not share; a sentence. */
  readonly refused?: string
  readonly state?: ConnectionState
  readonly transport?: TransportName
  readonly error?: WireError
  /** A session has begun. */
  readonly begun?: ConnectResult
  readonly reply?: Reply
  readonly push?: Push
  /** The host wants the connection's token; the number is for the answer. */
  readonly wants?: number
  /** The host has ended its session; another one follows. */
  readonly bye?: true
}

/** A host's name, and what is for it or from it. */
export type Envelope<Message> = readonly [host: string, message: Message]

export interface Join {
  /** The name of a lock that the tab holds as long as it lives; none where there are no locks. */
  readonly lock?: string
  readonly url: string
  readonly options: SharedOptions
  /** Whether the tab can give a token. */
  readonly hasToken: boolean
  /** The session of the host before, which has not ended it. */
  readonly former?: SessionName
  /** Where the tab is in the channels that the server has subscribed it to. */
  readonly subs: Readonly<Record<string, SubscribeRequest>>
}

/** Options that can be told to another thread. */
export type SharedOptions = Omit<Options, 'token' | 'fetch' | 'WebSocket' | 'random'>

/** What `share()` takes: options that can be told to another thread, and `token`, which is asked in a tab. */
export interface ShareOptions extends Omit<Options, 'fetch' | 'WebSocket' | 'random'> {
  /** Tabs with the same share one connection: the user's id, say, where tabs may belong to different ones. */
  readonly key?: string
  /** Starts a SharedWorker that imports `@antiphon/client/worker`; every tab the same. Called where there is a connection to open. */
  readonly worker?: () => SharedWorker
}

/** One end of a line between a tab and a host, in order and reliable: a MessagePort or a BroadcastChannel of which there are two. */
export type Port = Pick<MessagePort, 'postMessage' | 'close'> & { onmessage: ((event: MessageEvent) => void) | null }

/** What the platform has for tabs that share. Tests have one of their own. */
export interface Platform {
  readonly locks: Pick<LockManager, 'request'> | undefined
  readonly BroadcastChannel: (new (name: string) => Port) | undefined
  readonly start: Pick<Options, 'fetch' | 'WebSocket' | 'random'>
}

export function platform(): Platform {
  const { navigator, BroadcastChannel } = globalThis as { navigator?: { locks?: LockManager }; BroadcastChannel?: new (name: string) => Port }
  // In Node each process is alone.
  const isPage = typeof location !== 'undefined'
  return { locks: isPage ? navigator?.locks : undefined, BroadcastChannel: isPage ? BroadcastChannel : undefined, start: {} }
}

/** An error that crosses from one thread to another. */
export interface WireError {
  readonly code: number
  readonly message: string
  readonly fate: Fate
  readonly temporary: boolean
}

export function packed({ code, message, fate, isTemporary }: AntiphonError): WireError {
  return { code, message, fate, temporary: isTemporary }
}

export function unpacked({ code, message, fate, temporary }: WireError): AntiphonError {
  return new AntiphonError(code, message, fate, temporary)
}

/** A name that nobody else has. */
export function newName(): string {
  return [Math.random(), Math.random()].map((number) => number.toString(36).slice(2)).join('')
}

/** The lock that a tab holds. */
export function tabLock(id: string): string {
  return `antiphon tab ${id}`
}

/** The lock that a host holds which lives in a worker. */
export function hostLock(name: string): string {
  return `antiphon host ${name}`
}

/** The host waits for a tab that has so many messages to read. */
export const UNREAD = 8192
/** After so many a tab says how far it is. */
export const HEARD_EVERY = 64
