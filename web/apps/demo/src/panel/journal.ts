import type { ConnectionState } from '@antiphon/client'
import { sentence, spoken, titleOf } from './sentence'

/** Something that happened, for people to read. */
export interface Entry {
  readonly id: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly text: string
}

/** Older ones go. */
export const ENTRIES_KEPT = 50

/** An absence that is not over. */
interface Outage {
  readonly since: number
  readonly cause: string
}

/** Turns the states of a connection into what happened: one line for each outage, take-over and end. */
export class Journal {
  /** Newest first. */
  entries: readonly Entry[] = []
  /** How often a transport has taken the session over from another one. */
  takeOvers = 0
  #before: ConnectionState | undefined
  #outage: Outage | undefined
  #id = 0

  /** The connection has this state now, at `now` milliseconds since 1970. */
  read(state: ConnectionState, now: number): void {
    const before = this.#before
    this.#before = state
    if (state.name === 'connecting') this.#outage ??= { since: now, cause: causeOf(before, state.reason) }
    else if (state.name === 'disconnected') {
      this.#outage = undefined
      if (before !== undefined) this.note(sentence(state), now)
    } else {
      if (state.isResumed) this.takeOvers += 1
      this.note(this.#arrival(before, state, now), now)
      this.#outage = undefined
    }
  }

  note(text: string, now: number): void {
    this.#id += 1
    this.entries = [{ id: this.#id, at: now, text }, ...this.entries].slice(0, ENTRIES_KEPT)
  }

  #arrival(before: ConnectionState | undefined, state: ConnectionState & { name: 'connected' }, now: number): string {
    const over = titleOf(state.transport)
    const outage = this.#outage
    if (before?.name === 'connected') return `${titleOf(before.transport)} → ${over}, a better one: taken over, nothing lost`
    if (outage === undefined) return `New session over ${over}`
    const after = `over ${over} after ${(now - outage.since).toString()} ms`
    if (outage.cause === '') return `New session ${after}`
    return state.isResumed ? `${outage.cause} → resumed ${after}, nothing lost` : `${outage.cause} → new session ${after}; the history tells what was missed`
  }
}

function causeOf(before: ConnectionState | undefined, reason: string): string {
  if (before?.name !== 'connected') return ''
  const over = titleOf(before.transport)
  if (reason === 'cut') return `${over} cut`
  const cause = spoken(reason)
  return cause.startsWith(over) ? cause : `${over}: ${cause}`
}
