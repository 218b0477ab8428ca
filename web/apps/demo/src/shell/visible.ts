import { onScopeDispose, readonly, ref, type Ref } from 'vue'

/** Whether somebody may look at the page. */
export function useIsVisible(): Readonly<Ref<boolean>> {
  const isVisible = ref(document.visibilityState === 'visible')
  const look = (): void => {
    isVisible.value = document.visibilityState === 'visible'
  }
  document.addEventListener('visibilitychange', look)
  onScopeDispose(() => {
    document.removeEventListener('visibilitychange', look)
  })
  return readonly(isVisible)
}
