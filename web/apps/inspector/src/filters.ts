import type { ConnectionFilters } from './api'
import { LISTED } from './shapes'

/** What a connection can be narrowed down by exactly, as one writes it before a colon: `user:ada`. */
export const FIELDS = ['user', 'client', 'channel', 'address', 'transport'] as const
export type Field = (typeof FIELDS)[number]

/** Filters as the address holds them; what it holds besides is dropped, as is a transport that no listed connection has. */
export function filtersIn(query: Readonly<Record<string, string>>): ConnectionFilters {
  const filters: ConnectionFilters = {}
  for (const field of ['search', ...FIELDS] as const) {
    const value = query[field]
    if (value && (field !== 'transport' || isTransport(value))) filters[field] = value
  }
  return filters
}

/** Whether two sets of filters ask for the same. */
export function sameFilters(one: ConnectionFilters, other: ConnectionFilters): boolean {
  return one.search === other.search && FIELDS.every((field) => one[field] === other[field])
}

/**
 * What someone typed into the one box: words that are searched for, and `field:value` for the exact filters. A value
 * with spaces stands in double quotes. A field that does not exist, or has no value yet, is text like any other.
 */
export function typed(text: string): { search: string; exact: Partial<Record<Field, string>> } {
  const exact: Partial<Record<Field, string>> = {}
  const words = text.replace(/(^|\s)(\w+):(?:"([^"]+)"|([^\s"]+))/g, (whole, space: string, name: string, quoted?: string, plain?: string) => {
    const field = FIELDS.find((known) => known === name.toLowerCase())
    const value = quoted ?? plain ?? ''
    if (!field || (field === 'transport' && !isTransport(value))) return whole
    exact[field] = value
    return space
  })
  return { search: words.replace(/\s+/g, ' ').trim(), exact }
}

function isTransport(value: string): boolean {
  return LISTED.some((transport) => transport === value)
}
