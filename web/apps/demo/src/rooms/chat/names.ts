export const FIRST_ROOMS: readonly string[] = ['lobby', 'music', 'workshop']
/** The room that is open where the address names none. */
export const LOBBY = 'lobby'
/** Rooms that one browser remembers, the first ones among them; each is a subscription. */
export const ROOMS_LIMIT = 20
export const ROOM_NAME_LIMIT = 40

const KEY = 'antiphon.rooms'

/** What a person typed, as a room name: lower case, letters, digits, `-` and `_`. Undefined when nothing is left. */
export function roomName(typed: string): string | undefined {
  const name = typed
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9_]+/g, '-')
    .slice(0, ROOM_NAME_LIMIT)
    .replace(/^-+|-+$/g, '')
  return name === '' ? undefined : name
}

export function channelOf(room: string): `chat:${string}` {
  return `chat:${room}`
}

/** Where a room's readers tell what they have seen and that they are typing: it passes, and is no part of the talk. */
export function signalsOf(room: string): `chat-signals:${string}` {
  return `chat-signals:${room}`
}

/** The first rooms, and those that were opened in this browser. */
export function recallRooms(memory: Pick<Storage, 'getItem'>): string[] {
  const opened = (memory.getItem(KEY) ?? '').split(' ').flatMap((name) => roomName(name) ?? [])
  return [...new Set([...FIRST_ROOMS, ...opened])].slice(0, ROOMS_LIMIT)
}

export function rememberRooms(memory: Pick<Storage, 'setItem'>, rooms: readonly string[]): void {
  memory.setItem(KEY, rooms.filter((room) => !FIRST_ROOMS.includes(room)).join(' '))
}
