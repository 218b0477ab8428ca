import type { ClientInfo } from '@antiphon/client'
import { NAME_LIMIT } from '../../shell/identity'
import { clip, isRecord, textOf } from './message'

/** Somebody who is here, with one tab or several. */
export interface Person {
  readonly name: string
  readonly tabs: number
  /** This tab is one of theirs. */
  readonly isOwn: boolean
}

/** Who the members of a channel are by the names that they gave, ourselves first; those without a name are one. */
export function peopleOf(members: readonly ClientInfo[], isOwn: (client: string) => boolean): Person[] {
  const people = new Map<string, Person>()
  for (const { client, connInfo } of members) {
    const name = clip((isRecord(connInfo) ? textOf(connInfo.name) : undefined) ?? 'Someone', NAME_LIMIT)
    const before = people.get(name)
    people.set(name, { name, tabs: (before?.tabs ?? 0) + 1, isOwn: before?.isOwn === true || isOwn(client) })
  }
  return [...people.values()].sort((one, other) => Number(other.isOwn) - Number(one.isOwn) || one.name.localeCompare(other.name))
}

/** A steady colour for each name, as a hue. */
export function hueOf(name: string): number {
  return Array.from(name).reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360, 7)
}
