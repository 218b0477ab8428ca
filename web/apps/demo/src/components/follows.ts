import type { Entry, Message } from '../chat/message'

/** The longest pause within which lines of one author share a heading. */
const PAUSE = 3 * 60_000

/** Whether a line continues the one before it, so that it needs no heading of its own. */
export function follows(before: Entry | undefined, message: Message): boolean {
  return (
    before?.kind === 'message' &&
    before.author === message.author &&
    before.own === message.own &&
    Math.abs(message.at - before.at) < PAUSE
  )
}
