import { computed, inject, provide, ref, shallowRef, watch, type ComputedRef, type InjectionKey, type Ref, type ShallowRef } from 'vue'
import { api, type ApiError } from './api'
import { Charts, KEPT } from './charts'
import type { Point, Stats } from './shapes'
import { usePoll } from './usePoll'

/** What the whole page knows of the server: asked for once a second, whichever page is open. */
export interface Server {
  /** The newest answer, without its seconds; undefined until the first. */
  facts: Readonly<ShallowRef<Omit<Stats, 'points'> | undefined>>
  /** The newest second shown. */
  latest: Readonly<ShallowRef<Point | undefined>>
  charts: Charts
  /** While true, what is shown stands still; the seconds are kept until it goes on. */
  isPaused: Ref<boolean>
  /** Why the newest question failed. */
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** What the node is called: by its name, or, if it has none of its own, by where it is. */
  name: ComputedRef<string | undefined>
  /** The server's clock, in ms since 1970, to the second; what lasts is measured by it. */
  now: ComputedRef<number>
}

const KEY: InjectionKey<Server> = Symbol('server')

/** Begins to ask; every component below may then call `useServer`. */
export function provideServer(): Server {
  const facts = shallowRef<Omit<Stats, 'points'>>()
  const latest = shallowRef<Point>()
  const charts = new Charts()
  const isPaused = ref(false)
  let since: number | undefined
  let held: Point[] = []

  const { data, error } = usePoll((signal) => api.stats(since, signal), { interval: 1000 })
  const show = (): void => {
    if (isPaused.value || held.length === 0) return
    charts.add(held, facts.value?.interval_ms ?? 1000)
    latest.value = held.at(-1)
    held = []
  }
  watch(data, (stats) => {
    if (!stats) return
    const { points, ...rest } = stats
    facts.value = rest
    since = points.at(-1)?.at ?? since
    held = [...held, ...points].slice(-KEPT)
    show()
  })
  watch(isPaused, show)

  const server: Server = { facts, latest, charts, isPaused, error, now: computed(() => facts.value?.now ?? Date.now()), name: computed(() => facts.value && nameOf(facts.value)) }
  provide(KEY, server)
  return server
}

function nameOf({ node }: Pick<Stats, 'node'>): string {
  return node.name === node.uid ? location.host : node.name
}

/** Connections of every transport together. */
export function connected({ connections }: Point): number {
  return Object.values(connections).reduce((sum, each) => sum + each, 0)
}

export function useServer(): Server {
  const server = inject(KEY)
  if (!server) throw new Error('useServer needs provideServer in a component above.')
  return server
}
