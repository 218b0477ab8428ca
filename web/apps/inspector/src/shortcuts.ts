import { onScopeDispose } from 'vue'
import { hashOf, type PageName } from './route'

/** The letter after `g`, and the page that it goes to. */
export const LETTERS: Readonly<Record<string, PageName>> = { o: 'overview', c: 'connections', h: 'channels', n: 'nodes', s: 'config' }

/** How long after `g` its letter is awaited, in ms. */
const AWAITED = 1500

/** Keys for the whole page: `/` to the search box, `g` and a letter to a page, `?` for help. Not while something is typed. */
export function useShortcuts(help: () => void): void {
  let goesUntil = 0
  const press = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || isWriting(event.target)) return
    if (document.querySelector('dialog[open]')) return
    const page = event.timeStamp < goesUntil ? LETTERS[event.key] : undefined
    goesUntil = event.key === 'g' ? event.timeStamp + AWAITED : 0
    if (page !== undefined) location.hash = hashOf(page)
    else if (event.key === '?') help()
    else if (event.key === '/') {
      const box = document.querySelector<HTMLInputElement>('input[type="search"]')
      if (!box) return
      event.preventDefault()
      box.focus()
      box.select()
    }
  }
  addEventListener('keydown', press)
  onScopeDispose(() => {
    removeEventListener('keydown', press)
  })
}

function isWriting(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.closest('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable]') !== null
}
