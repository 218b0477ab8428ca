import type { Setting } from './shapes'

/** Settings that belong together: the word before the last dot of their keys; '' for those without. */
export interface Section {
  name: string
  settings: Setting[]
}

/** What matches, by sections, in the order of the server. */
export function sections(settings: readonly Setting[], search: string, isChangedOnly: boolean): Section[] {
  const words = search.trim().toLowerCase()
  const found: Section[] = []
  for (const setting of settings) {
    if (isChangedOnly && setting.origin === 'default') continue
    if (words !== '' && ![setting.key, setting.doc, shown(setting)].some((text) => text.toLowerCase().includes(words))) continue
    const name = setting.key.includes('.') ? setting.key.slice(0, setting.key.lastIndexOf('.')) : ''
    const section = found.find((each) => each.name === name)
    if (section) section.settings.push(setting)
    else found.push({ name, settings: [setting] })
  }
  return found
}

/** A value as one writes it; a secret only as set or not. */
export function shown({ value, secret }: Setting): string {
  if (secret) return value ? '••••••••' : 'not set'
  if (value === null) return 'none'
  if (value === '') return 'empty'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
