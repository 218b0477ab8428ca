import { byteRate, bytes, milliseconds, percent, rate, short, type ChartSeries, type Value } from '@antiphon/ui'
import type { Metric } from './alarms'
import type { Report } from './report'

/** One chart of an agent, and what a report says for it. */
export interface AgentChart {
  readonly label: string
  readonly series: readonly ChartSeries[]
  readonly values: (report: Report) => readonly (Value | undefined)[]
  readonly format: (value: number) => string
  readonly max?: number
  readonly floor?: number
  readonly isBinary?: boolean
  /** What has a threshold. */
  readonly metric?: Metric
}

export const MACHINE: readonly AgentChart[] = [
  { label: 'CPU', metric: 'cpu', series: [{ label: 'in use', isFilled: true }], values: ({ cpu }) => [cpu], format: percent, max: 1 },
  { label: 'Memory', metric: 'memory', series: [{ label: 'in use', color: 4, isFilled: true }], values: (report) => [memoryShare(report)], format: percent, max: 1 },
  {
    label: 'Network',
    series: [{ label: 'received' }, { label: 'sent' }],
    values: ({ network }) => [network?.received_per_s, network?.sent_per_s],
    format: byteRate,
    floor: 1024,
    isBinary: true,
  },
  { label: 'Load', series: [{ label: '1 min' }, { label: '5 min' }, { label: '15 min' }], values: ({ load = [] }) => load, format: short },
]

export const SERVER: readonly AgentChart[] = [
  { label: 'Connections', series: [{ label: 'open', color: 3, isFilled: true }], values: ({ server }) => [server?.connections], format: short, floor: 10 },
  {
    label: 'Messages',
    series: [{ label: 'published' }, { label: 'delivered' }],
    values: ({ server }) => [server?.publications_per_s, server?.deliveries_per_s],
    format: rate,
    floor: 10,
  },
  { label: 'Lag, 99 of 100 below', series: [{ label: 'lag', color: 5 }], values: ({ server }) => [server?.lag_p99_ms], format: milliseconds },
  { label: 'Memory of the server', series: [{ label: 'in use', color: 4, isFilled: true }], values: ({ server }) => [server?.memory_bytes], format: bytes, floor: 2 ** 20, isBinary: true },
]

export function memoryShare({ memory }: Report): number {
  return memory.total > 0 ? Math.min(1, memory.used / memory.total) : 0
}
