/** The two storages of a browser: of this tab, and of all tabs. */
export interface Memory {
  readonly tab: Pick<Storage, 'getItem' | 'setItem'>
  readonly browser: Pick<Storage, 'getItem' | 'setItem'>
}

/** How many of this tab's former client ids are kept, to recognise its messages in the history. */
const CLIENTS_KEPT = 20

/** The name in this tab, else the last one given in any tab. */
export function recallName({ tab, browser }: Memory): string {
  return tab.getItem('antiphon.name') ?? browser.getItem('antiphon.name') ?? ''
}

export function rememberName({ tab, browser }: Memory, name: string): void {
  tab.setItem('antiphon.name', name)
  browser.setItem('antiphon.name', name)
}

export function recallClients({ tab }: Memory): Set<string> {
  return new Set((tab.getItem('antiphon.clients') ?? '').split(' ').filter((id) => id !== ''))
}

export function rememberClient({ tab }: Memory, clients: Set<string>, id: string): void {
  clients.add(id)
  const [oldest] = clients
  if (clients.size > CLIENTS_KEPT && oldest !== undefined) clients.delete(oldest)
  tab.setItem('antiphon.clients', [...clients].join(' '))
}
