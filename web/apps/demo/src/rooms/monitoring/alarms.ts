export type Metric = 'cpu' | 'memory'
export const METRICS: Readonly<Record<Metric, string>> = { cpu: 'CPU', memory: 'Memory' }

/** A value went over its threshold. */
export interface Alarm {
  readonly id: number
  readonly agent: string
  readonly metric: Metric
  /** In milliseconds since 1970. */
  readonly raisedAt: number
  /** What it is over, a share of one; where it is moved meanwhile, its last place. */
  threshold: number
  /** The highest value since. */
  peak: number
  clearedAt?: number
}

/** An alarm ends only so far below its threshold, or a value beside it would raise one after the other. */
export const MARGIN = 0.03
/** So many are kept. */
const KEPT = 50

/** The alarms of all agents, newest first: at most one at a time for each figure of each. */
export class Alarms {
  readonly list: Alarm[] = []
  readonly #thresholds: Readonly<Record<Metric, number>>
  #count = 0

  /** The thresholds may be changed at any time; the next value is held to them. */
  constructor(thresholds: Readonly<Record<Metric, number>>) {
    this.#thresholds = thresholds
  }

  /** Whether this figure is over its threshold, or has been and is not clear of it. */
  current(agent: string, metric: Metric): Alarm | undefined {
    return this.list.find((alarm) => alarm.agent === agent && alarm.metric === metric && alarm.clearedAt === undefined)
  }

  see(agent: string, metric: Metric, value: number, at: number): void {
    const threshold = this.#thresholds[metric]
    const current = this.current(agent, metric)
    if (current === undefined) {
      if (value < threshold) return
      this.list.unshift({ id: ++this.#count, agent, metric, threshold, raisedAt: at, peak: value })
      if (this.list.length > KEPT) this.list.pop()
    } else if (value < threshold - MARGIN) current.clearedAt = at
    else {
      current.threshold = threshold
      current.peak = Math.max(current.peak, value)
    }
  }
}
