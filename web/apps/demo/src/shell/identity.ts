import { ref, type InjectionKey, type Ref } from 'vue'

/** The two storages of a browser: of this tab, and of all tabs. */
export interface Memory {
  readonly tab: Pick<Storage, 'getItem' | 'setItem'>
  readonly browser: Pick<Storage, 'getItem' | 'setItem'>
}

export const NAME_LIMIT = 32
/** How many of this tab's former client ids are kept, to recognise its messages in the history. */
const CLIENTS_KEPT = 20

/** Who sits before this tab: a name, and the client ids that the server has given to it. */
export interface Identity {
  readonly name: Readonly<Ref<string>>
  /** Takes a name, trimmed and cut. Gives whether it is a new one. */
  readonly rename: (wanted: string) => boolean
  /** The server knows this tab by this id now. */
  readonly isClient: (id: string) => void
  /** Whether a client id is, or was, that of this tab. */
  readonly isOwn: (client: string) => boolean
}

export const IDENTITY: InjectionKey<Identity> = Symbol('identity')

/** The name in this tab, else the last one given in any tab; ids are of this tab alone. */
export function useIdentity({ tab, browser }: Memory): Identity {
  const name = ref(tab.getItem('antiphon.name') ?? browser.getItem('antiphon.name') ?? '')
  const clients = new Set((tab.getItem('antiphon.clients') ?? '').split(' ').filter((id) => id !== ''))
  return {
    name,
    rename(wanted) {
      const next = wanted.trim().slice(0, NAME_LIMIT)
      if (next === '' || next === name.value) return false
      name.value = next
      tab.setItem('antiphon.name', next)
      browser.setItem('antiphon.name', next)
      return true
    },
    isClient(id) {
      clients.add(id)
      const [oldest] = clients
      if (clients.size > CLIENTS_KEPT && oldest !== undefined) clients.delete(oldest)
      tab.setItem('antiphon.clients', [...clients].join(' '))
    },
    isOwn: (client) => clients.has(client),
  }
}
