import { getCurrentInstance, getCurrentScope, onBeforeMount, onScopeDispose, toValue, watch, type MaybeRefOrGetter } from 'vue'
import { isIdle } from './antiphon.ts'

/**
 * Runs `start` when the component mounts, which a server that renders never does, or at once in a scope without a component. What it gives is run when
 * the scope ends.
 */
export function whileMounted(client: object, start: () => () => void): void {
  if (isIdle(client)) return
  let stop: (() => void) | undefined
  const begin = (): void => { stop = start() }
  if (getCurrentInstance() === null) begin()
  else onBeforeMount(begin)
  if (getCurrentScope() !== undefined) onScopeDispose(() => { stop?.() })
}

/** The same for each name there is, one after the other, with `reset` before each, and where there is none. */
export function whileNamed(client: object, name: MaybeRefOrGetter<string | undefined>, reset: () => void, start: (name: string) => () => void): void {
  whileMounted(client, () =>
    watch(
      () => toValue(name),
      (name, _old, onCleanup) => {
        reset()
        if (name !== undefined) onCleanup(start(name))
      },
      { immediate: true },
    ),
  )
}
