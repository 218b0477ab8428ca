import { onScopeDispose, readonly, ref, type Ref } from 'vue'
import { ROOMS, type RoomName } from '../rooms'

/** Which room is open, and what stands behind it in the address: `garden` in `#/chat/garden`. */
export interface Route {
  readonly room: RoomName
  readonly rest: string
}

/** Reads an address. What names no room is a room of the chat, so that `#garden` leads there as well. */
export function routeOf(hash: string): Route {
  const [, name = '', rest = ''] = /^#\/([^/]*)\/?(.*)$/.exec(hash) ?? []
  const known = ROOMS.find((room) => room.name === name)
  return known ? { room: known.name, rest: decoded(rest) } : { room: 'chat', rest: decoded(hash.replace(/^#\/?/, '')) }
}

export function addressOf({ room, rest }: Route): string {
  return rest === '' ? `#/${room}` : `#/${room}/${encodeURIComponent(rest)}`
}

/** The address as state; it follows links, and the browser's own back and forward. */
export function useRoute(): Readonly<Ref<Route>> {
  const route = ref(routeOf(location.hash))
  const follow = (): void => {
    route.value = routeOf(location.hash)
  }
  addEventListener('hashchange', follow)
  onScopeDispose(() => {
    removeEventListener('hashchange', follow)
  })
  return readonly(route)
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ''
  }
}
