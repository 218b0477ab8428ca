import { ref, shallowRef, watch, type Ref, type ShallowRef } from 'vue'
import { api, type ApiError } from './api'
import type { TraceEntry } from './shapes'
import { usePoll } from './usePoll'

/** As many as the server keeps. */
export const TRACE_KEPT = 1000

export interface TraceState {
  /** Oldest first, the newest `TRACE_KEPT`. */
  entries: Readonly<ShallowRef<readonly TraceEntry[]>>
  isOn: Readonly<Ref<boolean>>
  /** When it ends by itself, in ms since 1970. */
  until: Readonly<Ref<number | null>>
  /** Entries that the server had dropped before this page asked for them. */
  lost: Readonly<Ref<number>>
  error: Readonly<ShallowRef<ApiError | undefined>>
  /** Turns it on, which begins an empty log, or off, which keeps what is there. */
  set: (on: boolean) => Promise<void>
  clear: () => void
}

/** What one client says and is told, as it happens. */
export function useTrace(client: string): TraceState {
  const entries = shallowRef<readonly TraceEntry[]>([])
  const isOn = ref(false)
  const until = ref<number | null>(null)
  const lost = ref(0)
  let after = 0

  const { data, error, refresh } = usePoll((signal) => api.trace(client, after, signal), { interval: () => (isOn.value ? 500 : undefined) })
  watch(data, (trace) => {
    if (!trace) return
    isOn.value = trace.on
    until.value = trace.until
    lost.value += trace.lost
    after = trace.next
    if (trace.entries.length > 0) entries.value = [...entries.value, ...trace.entries].slice(-TRACE_KEPT)
  })

  return {
    entries,
    isOn,
    until,
    lost,
    error,
    async set(on) {
      await api.setTrace(client, on)
      if (on) {
        entries.value = []
        lost.value = 0
        after = 0
      }
      // What came until now belongs to the log also when it ends here.
      refresh()
    },
    clear() {
      entries.value = []
      lost.value = 0
    },
  }
}
