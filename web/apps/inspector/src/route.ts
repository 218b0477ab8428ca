import { onScopeDispose, shallowRef, type ShallowRef } from 'vue'

/** The pages, by the first word after `#/`. */
export const PAGES = ['overview', 'connections', 'channels', 'nodes', 'config'] as const
export type PageName = (typeof PAGES)[number]

/** What the part of the address after `#` names: `#/connections/CLIENT` or `#/connections?user=ada`. */
export interface Route {
  /** Undefined: there is no such page. */
  page: PageName | undefined
  /** One connection, one channel; else undefined. */
  name?: string
  query: Record<string, string>
}

/** Reads a hash. Whatever is no route is the overview, and a token in it is for the login page alone. */
export function routeOf(hash: string): Route {
  if (!hash.startsWith('#/')) return { page: 'overview', query: {} }
  const [path, search] = splitOnce(hash.slice(2), '?')
  const query = Object.fromEntries(new URLSearchParams(search ?? ''))
  const [first, rest] = splitOnce(path, '/')
  if (first === '') return { page: 'overview', query }
  const page = PAGES.find((name) => name === first)
  if (rest === undefined || rest === '') return { page, query }
  if (page !== 'connections' && page !== 'channels') return { page: undefined, query }
  const name = decoded(rest)
  return name === undefined ? { page: undefined, query } : { page, name, query }
}

/** Writes a hash that `routeOf` reads. Empty values are left out. */
export function hashOf(page: PageName, name?: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const path = page === 'overview' ? '' : page
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]))
  const search = given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`
  return `#/${path}${name === undefined ? '' : `/${encodeURIComponent(name)}`}${search}`
}

/** The route that the address shows now, followed as it changes. */
export function useRoute(): Readonly<ShallowRef<Route>> {
  const route = shallowRef(routeOf(location.hash))
  const follow = (): void => {
    dropToken()
    route.value = routeOf(location.hash)
  }
  dropToken()
  addEventListener('hashchange', follow)
  onScopeDispose(() => {
    removeEventListener('hashchange', follow)
  })
  return route
}

/** Puts the query of the open page into the address, without a new entry in the browser's history. */
export function replaceQuery(page: PageName, query: Readonly<Record<string, string | undefined>>): void {
  history.replaceState(history.state, '', hashOf(page, undefined, query))
  dispatchEvent(new HashChangeEvent('hashchange'))
}

/** A link with a token, opened by someone who is logged in already: it should not stay in the address. */
function dropToken(): void {
  if (location.hash.startsWith('#token=')) history.replaceState(history.state, '', '#/')
}

function splitOnce(text: string, at: string): [string, string | undefined] {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + at.length)]
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
