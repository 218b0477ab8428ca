import { useChannel } from '@antiphon/vue'
import { computed, shallowRef, watchEffect, type InjectionKey } from 'vue'
import { readNotice, type Notice } from './notice'
import { useReadMarks } from './useReadMarks'

export const CHANNEL = 'notifications'
/** So many are listed, and loaded at first. */
export const NOTICES_KEPT = 200
/** So many lie over the page at once. */
const TOASTS = 4

/** Notifications for the whole page: the list, what is unread in all tabs, and what has just come. */
export function useNotices() {
  const { mark, isRead } = useReadMarks(localStorage, () => new BroadcastChannel('antiphon.read'))
  const toasts = shallowRef<readonly Notice[]>([])
  const { messages, isLoading, error } = useChannel<unknown>(CHANNEL, {
    history: NOTICES_KEPT,
    keep: NOTICES_KEPT,
    onMessage: (message) => {
      // A tab that nobody sees counts, and leaves the toast to the one that is open.
      if (document.visibilityState === 'visible') toasts.value = [...toasts.value, readNotice(message)].slice(-TOASTS)
    },
  })
  const notices = computed(() => messages.value.map(readNotice).reverse())
  const unread = computed(() => notices.value.filter(({ key }) => !isRead(key)).length)

  // One that was read in another tab need not lie here.
  watchEffect(() => {
    const open = toasts.value.filter(({ key }) => !isRead(key))
    if (open.length < toasts.value.length) toasts.value = open
  })

  return {
    notices,
    unread,
    isRead,
    isLoading,
    error,
    markRead: mark,
    markAllRead: (): void => { mark(notices.value.map(({ key }) => key)) },
    toasts,
    /** Takes it from the page; it stays unread. */
    putAway(key: string): void {
      toasts.value = toasts.value.filter((toast) => toast.key !== key)
    },
  }
}

export type Notices = ReturnType<typeof useNotices>

export const NOTICES: InjectionKey<Notices> = Symbol('notices')
