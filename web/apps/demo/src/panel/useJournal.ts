import type { Client } from '@antiphon/client'
import { inject, onScopeDispose, shallowRef, triggerRef, type InjectionKey, type ShallowRef } from 'vue'
import { Journal } from './journal'

export const JOURNAL: InjectionKey<ShallowRef<Journal>> = Symbol('journal')

/** What happens to this client from now on. */
export function useJournal(client: Pick<Client, 'state' | 'on'>): ShallowRef<Journal> {
  const journal = shallowRef(new Journal())
  const read = (state: Client['state']): void => {
    journal.value.read(state, Date.now())
    triggerRef(journal)
  }
  read(client.state)
  onScopeDispose(client.on('state', read))
  return journal
}

/** Writes into the journal of the page. */
export function useNote(): (text: string) => void {
  const journal = inject(JOURNAL)
  return (text) => {
    journal?.value.note(text, Date.now())
    if (journal) triggerRef(journal)
  }
}
