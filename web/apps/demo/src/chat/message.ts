import type { PublicationContext } from 'centrifuge'

/** What this page publishes. Readers must not trust it: anyone may publish anything. */
export interface Wire {
  readonly id: string
  readonly name: string
  readonly text: string
  /** When it was written, in milliseconds since 1970 by the author's clock. */
  readonly at: number
}

/** One line of the conversation, in the order that the server gave. */
export interface Message {
  readonly kind: 'message'
  readonly id: string
  readonly author: string
  readonly text: string
  readonly at: number
  readonly own: boolean
}

/** A place where messages may be missing: the page was away and the server could not fill it. */
export interface Gap {
  readonly kind: 'gap'
  readonly id: string
  readonly at: number
}

export type Entry = Message | Gap

/** A message of ours that the conversation does not show yet. */
export interface Outgoing extends Wire {
  readonly state: 'sending' | 'sent' | 'failed'
  /** Why it failed. */
  readonly problem: string
}

export const NAME_LIMIT = 32
export const TEXT_LIMIT = 4_000

/** 128 random bits. `crypto.randomUUID` would need a secure context. */
export function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Reads any publication: ours, or whatever a script published to the channel, shown as it is. */
export function readPublication(publication: PublicationContext, now: number, isOwn: (client: string) => boolean): Message {
  const data: unknown = publication.data
  const wire = isRecord(data) ? data : {}
  const written = textOf(wire.text)
  const info: unknown = publication.info?.connInfo
  return {
    kind: 'message',
    id: textOf(wire.id) ?? randomId(),
    author: clip((isRecord(info) ? textOf(info.name) : undefined) ?? textOf(wire.name) ?? 'Someone', NAME_LIMIT),
    text: clip(written ?? (typeof data === 'string' ? data : JSON.stringify(data)), TEXT_LIMIT),
    at: typeof wire.at === 'number' && Number.isSafeInteger(wire.at) && wire.at > 0 ? wire.at : now,
    own: publication.info !== undefined && isOwn(publication.info.client),
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}

function clip(text: string, limit: number): string {
  return text.length > limit ? `${text.slice(0, limit)}…` : text
}
