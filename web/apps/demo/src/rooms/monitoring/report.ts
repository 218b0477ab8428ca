/** What an agent tells of its machine, every `interval_s` seconds: figures as they are on the wire. */
export interface Report {
  readonly agent: string
  readonly interval_s?: number
  readonly cores?: number
  /** The share of all cores in use, 0 to 1. */
  readonly cpu: number
  /** Over 1, 5 and 15 minutes. */
  readonly load?: readonly number[]
  readonly memory: Part
  readonly network?: { readonly received_per_s: number; readonly sent_per_s: number }
  readonly disk?: Part
  readonly uptime_s?: number
  /** Where it stands beside a server. */
  readonly server?: ServerReport
}

/** In bytes. */
export interface Part {
  readonly used: number
  readonly total: number
}

export interface ServerReport {
  readonly version?: string
  readonly connections: number
  readonly channels?: number
  readonly publications_per_s: number
  readonly deliveries_per_s: number
  /** None where nothing was measured. */
  readonly lag_p99_ms: number | null
  readonly memory_bytes: number
}

/**
 * Looks at what has been published in the channel, where everybody may publish.
 *
 * @throws TypeError when it is no report.
 */
export function toReport(data: unknown): Report {
  const { agent, cpu, memory } = (data ?? {}) as Partial<Record<string, unknown>>
  const { used, total } = (memory ?? {}) as Partial<Record<string, unknown>>
  const isNamed = typeof agent === 'string' && agent !== '' && agent.length <= 255
  if (!isNamed || !isAmount(cpu) || !isAmount(used) || !isAmount(total)) {
    throw new TypeError('A report is at least {"agent": "name", "cpu": 0 to 1, "memory": {"used": bytes, "total": bytes}}')
  }
  return data as Report
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0
}
