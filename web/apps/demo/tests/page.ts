import { afterEach, beforeEach, vi } from 'vitest'
import { effectScope, ref } from 'vue'
import type { Memory } from '../src/chat/remember'
import { useChat } from '../src/chat/useChat'
import { testServer } from './server'

export function emptyMemory(): Memory {
  const store = (): Memory['tab'] => {
    const items = new Map<string, string>()
    return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value) }
  }
  return { tab: store(), browser: store() }
}

/** Tabs on one server, in virtual time. */
export function virtualPages() {
  let server = testServer()
  const scopes: ReturnType<typeof effectScope>[] = []

  beforeEach(() => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1, 12) })
    server = testServer()
  })
  afterEach(() => {
    for (const scope of scopes.splice(0)) scope.stop()
    vi.useRealTimers()
  })

  return {
    server: () => server,
    open(name: string, memory = emptyMemory(), room = 'lobby') {
      const scope = effectScope()
      scopes.push(scope)
      const current = ref(room)
      const network = new EventTarget()
      const chat = scope.run(() =>
        useChat({ url: 'ws://antiphon.test/connection/websocket', websocket: server.Socket, random: () => 1, network, memory, current }),
      )
      if (chat === undefined) throw new Error('the scope did not run')
      chat.rename(name)
      return { chat, memory, network, openRoom: () => currentRoom(chat) }
    },
    pass: (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds),
  }
}

function currentRoom(chat: ReturnType<typeof useChat>) {
  const room = chat.room.value
  if (room === undefined) throw new Error('no room is open')
  return room
}
