import { isRecord, textOf, type Entry } from './message'

/** What readers tell each other beside the talk. Anyone may publish anything here too. */
export type Signal =
  | { readonly kind: 'typing'; readonly name: string }
  /** The id of the last line of others that is on somebody's screen. */
  | { readonly kind: 'seen'; readonly id: string }

export function readSignal(data: unknown): Signal | undefined {
  if (!isRecord(data)) return undefined
  const [name, id] = [textOf(data.name), textOf(data.id)]
  if (data.kind === 'typing' && name !== undefined) return { kind: 'typing', name }
  if (data.kind === 'seen' && id !== undefined) return { kind: 'seen', id }
  return undefined
}

/** What is to be said as seen: the last line that somebody else wrote. */
export function lastOfOthers(entries: readonly Entry[]): string | undefined {
  return entries.findLast((entry) => entry.kind === 'line' && !entry.isOwn)?.id
}

/** Of all lines those that somebody has seen: the ones told of, and all before them. */
export function seenLines(entries: readonly Entry[], told: ReadonlySet<string>): ReadonlySet<string> {
  const last = entries.findLastIndex(({ id }) => told.has(id))
  return new Set(entries.slice(0, last + 1).map(({ id }) => id))
}

/** `Ada is typing…`, `Ada and Bob are typing…` */
export function typingSentence(names: readonly string[]): string {
  const [first, second] = names
  if (first === undefined) return ''
  if (second === undefined) return `${first} is typing…`
  return names.length === 2 ? `${first} and ${second} are typing…` : `${first}, ${second} and others are typing…`
}
