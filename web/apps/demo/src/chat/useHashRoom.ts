import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { FIRST_ROOMS, roomInHash } from './roomName'

/** The open room, kept in the address after `#`, so that it can be bookmarked and sent to a friend. */
export function useHashRoom(): Ref<string> {
  const current = ref(fromAddress())
  const follow = (): void => {
    current.value = fromAddress()
  }
  addEventListener('hashchange', follow)
  onScopeDispose(() => {
    removeEventListener('hashchange', follow)
  })
  watch(current, (room) => {
    if (room !== fromAddress()) location.hash = room
  })
  return current
}

function fromAddress(): string {
  return roomInHash(location.hash) ?? FIRST_ROOMS[0] ?? 'lobby'
}
