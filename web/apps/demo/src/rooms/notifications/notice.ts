import type { Message } from '@antiphon/client'

/** From what is nice to know to what cannot wait. */
export const SEVERITIES = ['info', 'success', 'warning', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

export const TITLE_LIMIT = 120
export const TEXT_LIMIT = 1_000

/** What is published: by the form, by `curl`, by any service. Readers must not trust it. */
export interface Wire {
  readonly severity: Severity
  readonly title: string
  readonly text: string
}

/** A notification as it is shown. */
export interface Notice extends Wire {
  /** The same in every tab: its place in the channel and its time. */
  readonly key: string
  readonly at: number
}

/** Reads anything that was published; what is no notification becomes one of severity `info`. */
export function readNotice({ data, offset, time = 0 }: Message<unknown>): Notice {
  const wire: Partial<Record<keyof Wire, unknown>> = typeof data === 'object' && data !== null ? data : {}
  const title = textOf(wire.title) ?? (typeof data === 'string' ? data : JSON.stringify(data))
  return {
    key: `${(offset ?? 0).toString()}@${time.toString()}`,
    severity: SEVERITIES.find((known) => known === wire.severity) ?? 'info',
    title: title.slice(0, TITLE_LIMIT),
    text: (textOf(wire.text) ?? '').slice(0, TEXT_LIMIT),
    at: time,
  }
}

/** The line that publishes it from a shell. */
export function curlLine(origin: string, channel: string, data: Wire): string {
  return `curl -X POST ${origin}/api/publish -d '${JSON.stringify({ channel, data }).replaceAll("'", "'\\''")}'`
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value : undefined
}
