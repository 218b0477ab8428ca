import { Points } from '@antiphon/ui'
import { Alarms, type Metric } from './alarms'
import { MACHINE, memoryShare, SERVER, type AgentChart } from './charts'
import type { Report } from './report'

/** So many reports of each agent are kept: ten minutes, where it speaks every second. */
export const REPORTS = 600
/** So many agents are kept; beyond it, the one that has been silent longest goes. */
const AGENTS = 100

/** One machine: its last report, and the newest figures for each chart. */
export interface Agent {
  readonly name: string
  report: Report
  /** By the server's clock, in milliseconds since 1970. */
  seenAt: number
  readonly points: ReadonlyMap<AgentChart, Points>
}

export type Freshness = 'fresh' | 'late' | 'gone'

/** Whether an agent still speaks: late after three of its intervals, gone after twenty. */
export function freshness({ report, seenAt }: Pick<Agent, 'report' | 'seenAt'>, now: number): Freshness {
  const intervals = (now - seenAt) / ((report.interval_s ?? 1) * 1000)
  return intervals < 3 ? 'fresh' : intervals < 20 ? 'late' : 'gone'
}

/** All machines that have reported, and their alarms. */
export class Fleet {
  readonly agents = new Map<string, Agent>()
  readonly alarms: Alarms

  constructor(thresholds: Readonly<Record<Metric, number>>) {
    this.alarms = new Alarms(thresholds)
  }

  /** Takes a report that was published at `time`, in milliseconds since 1970. */
  add(report: Report, time: number): void {
    const agent = this.agents.get(report.agent) ?? this.#join(report, time)
    // A silence is a gap in the lines.
    if (freshness(agent, time) !== 'fresh') for (const points of agent.points.values()) points.add(agent.seenAt + 1, [])
    agent.report = report
    agent.seenAt = time
    for (const [chart, points] of agent.points) points.add(time, chart.values(report).map((value) => value ?? null))
    this.#watch(agent, time)
  }

  /** Holds the last report of each agent to the thresholds as they are `now`. */
  review(now: number): void {
    for (const agent of this.agents.values()) this.#watch(agent, now)
  }

  #watch({ name, report }: Agent, at: number): void {
    this.alarms.see(name, 'cpu', report.cpu, at)
    this.alarms.see(name, 'memory', memoryShare(report), at)
  }

  #join(report: Report, seenAt: number): Agent {
    const points = new Map([...MACHINE, ...SERVER].map((chart) => [chart, new Points(chart.series.length, REPORTS)]))
    const agent = { name: report.agent, report, seenAt, points }
    this.agents.set(agent.name, agent)
    if (this.agents.size > AGENTS) {
      const silent = [...this.agents.values()].reduce((oldest, each) => (each.seenAt < oldest.seenAt ? each : oldest))
      this.agents.delete(silent.name)
    }
    return agent
  }
}
