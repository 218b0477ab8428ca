import type { Entry, Line } from './message'

/** The longest pause within which lines of one author share a heading. */
const PAUSE = 3 * 60_000

/** Whether a line continues the one before it, so that it needs no heading of its own. */
export function follows(before: Entry | undefined, line: Line): boolean {
  return before?.kind === 'line' && before.author === line.author && before.isOwn === line.isOwn && Math.abs(line.at - before.at) < PAUSE
}
