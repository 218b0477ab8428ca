import type { Message } from '@antiphon/client'
import { NAME_LIMIT } from '../../shell/identity'

/** What this page publishes. Readers must not trust it: anyone may publish anything. */
export interface Wire {
  readonly id: string
  readonly name: string
  readonly text: string
  /** When it was written, in milliseconds since 1970 by the author's clock. */
  readonly at: number
}

/** One line of the conversation. */
export interface Line {
  readonly kind: 'line'
  readonly id: string
  readonly author: string
  readonly text: string
  readonly at: number
  readonly isOwn: boolean
}

/** A place where messages may be missing: the page was away and the server could not fill it. */
export interface Gap {
  readonly kind: 'gap'
  readonly id: string
  readonly at: number
}

export type Entry = Line | Gap

/** What became of a line of ours: it waits, the server has it, somebody has seen it; or it was not sent. */
export type Fate = 'waiting' | 'sent' | 'seen' | 'failed'

/** A message of ours that the conversation does not show yet. */
export interface Outgoing extends Wire {
  readonly room: string
  readonly state: Exclude<Fate, 'seen'>
  /** Why it failed. */
  readonly problem: string
}

export const TEXT_LIMIT = 4_000

/** 128 random bits. `crypto.randomUUID` would need a secure context. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Reads any message: ours, or whatever a script published to the channel, shown as it is. */
export function readMessage(message: Message<unknown>, now: number, isOwn: (client: string) => boolean): Line {
  const { data, info, time } = message
  const wire = isRecord(data) ? data : {}
  const introduced = isRecord(info?.connInfo) ? textOf(info.connInfo.name) : undefined
  return {
    kind: 'line',
    id: textOf(wire.id) ?? randomId(),
    author: clip(introduced ?? textOf(wire.name) ?? 'Someone', NAME_LIMIT),
    text: clip(textOf(wire.text) ?? (typeof data === 'string' ? data : JSON.stringify(data)), TEXT_LIMIT),
    at: typeof wire.at === 'number' && Number.isSafeInteger(wire.at) && wire.at > 0 ? wire.at : (time ?? now),
    isOwn: info !== undefined && isOwn(info.client),
  }
}

/** Each line once, though it may have come twice: sent again after a first one that did arrive. */
export function once(entries: readonly Entry[]): Entry[] {
  const known = new Set<string>()
  return entries.filter(({ id }) => !known.has(id) && known.add(id))
}

/** What stood here before an absence and what the history gives after it. Where they overlap nothing is missing, and there is no gap. */
export function joined(past: readonly Entry[], lines: readonly Line[]): Entry[] {
  const known = new Set(past.map(({ id }) => id))
  const isWhole = lines.some(({ id }) => known.has(id))
  return once([...(isWhole ? past.slice(0, -1) : past), ...lines])
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

export function clip(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}
