import { onScopeDispose, shallowRef } from 'vue'

const KEY = 'antiphon.read'
/** So many are remembered; the channel's history is not longer. */
const KEPT = 1_000

/** Which notifications were read in this browser, the same in all its tabs. */
export function useReadMarks(memory: Pick<Storage, 'getItem' | 'setItem'>, open: () => BroadcastChannel) {
  const marks = shallowRef<ReadonlySet<string>>(new Set(recall()))
  const tabs = open()
  tabs.onmessage = ({ data }: MessageEvent<readonly string[]>) => { add(data) }
  onScopeDispose(() => { tabs.close() })

  function recall(): string[] {
    return (memory.getItem(KEY) ?? '').split(' ').filter((key) => key !== '')
  }

  function add(keys: readonly string[]): void {
    marks.value = new Set([...marks.value, ...keys].slice(-KEPT))
  }

  /** Here, and in the other tabs at once. */
  function mark(keys: readonly string[]): void {
    const fresh = keys.filter((key) => !marks.value.has(key))
    if (fresh.length === 0) return
    add(fresh)
    memory.setItem(KEY, [...new Set([...recall(), ...fresh])].slice(-KEPT).join(' '))
    tabs.postMessage(fresh)
  }

  return { isRead: (key: string): boolean => marks.value.has(key), mark }
}
