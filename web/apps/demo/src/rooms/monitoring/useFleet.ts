import type { Message } from '@antiphon/client'
import { useChannel, useClient } from '@antiphon/vue'
import { onScopeDispose, reactive, shallowReadonly, shallowRef, watch, type ShallowRef } from 'vue'
import { recent } from '../recent'
import type { Alarm, Metric } from './alarms'
import { Fleet, freshness, REPORTS, type Agent, type Freshness } from './fleet'
import { toReport, type Report } from './report'

const CHANNEL = 'monitoring'

/** What the page shows, made anew for each frame that something has come in, and each second. */
export interface View {
  readonly agents: readonly { readonly agent: Agent; readonly freshness: Freshness; readonly isAlarmed: boolean; readonly cpu: readonly (number | null)[] }[]
  readonly alarms: readonly Alarm[]
}

/** So many values a small line in the list has. */
const SPARK = 40

/** The machines that report in the channel, from the last ten minutes on. */
export function useFleet() {
  const channel = useClient<Record<string, unknown>>().channel(CHANNEL)
  const thresholds = reactive<Record<Metric, number>>({ cpu: 0.9, memory: 0.9 })
  const view: ShallowRef<View | undefined> = shallowRef()

  const feed = useChannel<Report, typeof CHANNEL, Fleet>(CHANNEL, {
    keep: 1,
    check: toReport,
    load: async () => {
      const { messages, position } = await recent(channel, REPORTS, toReport)
      const fleet = new Fleet(thresholds)
      for (const message of messages) take(fleet, message)
      return { state: fleet, position }
    },
    reduce: (fleet, message) => {
      take(fleet, message)
      return fleet
    },
  })

  const { messages, value: fleet, error, isLoading } = feed

  function show(): void {
    if (fleet.value === undefined) return
    const now = Date.now()
    const { agents, alarms } = fleet.value
    view.value = {
      agents: [...agents.values()].sort((a, b) => a.name.localeCompare(b.name)).map((agent) => ({
        agent,
        freshness: freshness(agent, now),
        isAlarmed: (['cpu', 'memory'] as const).some((metric) => alarms.current(agent.name, metric)),
        cpu: [...agent.points.values()][0]?.values[0]?.slice(-SPARK) ?? [],
      })),
      alarms: [...alarms.list],
    }
  }
  watch([messages, fleet], show)
  watch(thresholds, () => {
    fleet.value?.review(Date.now())
    show()
  })
  const timer = setInterval(show, 1000)
  onScopeDispose(() => { clearInterval(timer) })

  return { view: shallowReadonly(view), thresholds, error, isLoading, reload: () => { feed.reload() } }
}

function take(fleet: Fleet, { data, time = Date.now() }: Message<Report>): void {
  fleet.add(data, time)
}
