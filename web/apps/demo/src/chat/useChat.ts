import { computed, ref, shallowReactive, watch, type Ref } from 'vue'
import { useConnection, type ConnectionOptions } from '../connection/useConnection'
import { NAME_LIMIT } from './message'
import { recallClients, recallName, rememberClient, rememberName, type Memory } from './remember'
import { FIRST_ROOMS } from './roomName'
import { useRoom, type Room } from './useRoom'

/** Rooms of one's own beside the first ones; each is a subscription. */
export const ROOMS_LIMIT = 20

export interface ChatOptions extends Omit<ConnectionOptions, 'name'> {
  /** The room that is open; this follows it, and opens a room it does not know yet. */
  readonly current: Ref<string>
  readonly memory: Memory
}

/** The whole chat without its view: a connection, a name, and rooms. Nothing connects before there is a name. */
export function useChat({ current, memory, ...options }: ChatOptions) {
  const name = ref(recallName(memory))
  const clients = recallClients(memory)
  const connection = useConnection({ ...options, name })
  const author = { name: () => name.value, isOwn: (client: string) => clients.has(client) }
  const rooms = shallowReactive(new Map<string, Room>())
  for (const first of FIRST_ROOMS) open(first)

  connection.client.on('connected', ({ client }) => {
    rememberClient(memory, clients, client)
  })

  function open(room: string): void {
    if (!rooms.has(room)) rooms.set(room, useRoom(connection.client, room, author))
  }

  watch(
    current,
    (wanted, before) => {
      if (rooms.has(wanted) || rooms.size < ROOMS_LIMIT) open(wanted)
      else current.value = before ?? FIRST_ROOMS[0] ?? wanted
    },
    { immediate: true, flush: 'sync' },
  )

  const room = computed(() => rooms.get(current.value))
  // What the open room receives is read.
  watch(
    () => room.value?.unread,
    () => {
      if (room.value !== undefined) room.value.unread = 0
    },
  )

  if (name.value !== '') connection.connect()

  /** Takes a name. A new one needs a new connection, since the server learns names only when clients connect. */
  function rename(wanted: string): void {
    const next = wanted.trim().slice(0, NAME_LIMIT)
    if (next === '' || next === name.value) return
    const isFirst = name.value === ''
    name.value = next
    rememberName(memory, next)
    if (isFirst) connection.connect()
    else connection.reconnect()
  }

  return { name, rename, rooms, room, current, status: connection.status, connect: connection.connect }
}
