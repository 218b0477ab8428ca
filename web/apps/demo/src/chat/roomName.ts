export const FIRST_ROOMS: readonly string[] = ['lobby', 'music', 'workshop']
export const ROOM_NAME_LIMIT = 40

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

/** The room that the address names, `#garden` for example. */
export function roomInHash(hash: string): string | undefined {
  try {
    return roomName(decodeURIComponent(hash.replace(/^#/, '')))
  } catch {
    return undefined
  }
}

export function channelOf(room: string): string {
  return `chat:${room}`
}
