import type { Memory } from '../src/shell/identity'

export function emptyMemory(): Memory {
  const store = (): Memory['tab'] => {
    const items = new Map<string, string>()
    return { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => void items.set(key, value) }
  }
  return { tab: store(), browser: store() }
}
