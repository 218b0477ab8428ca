/**
 * The way through a list that the server hands out in pages: the cursors of the pages already seen, so that one can go
 * back, of which the last is that of the page shown. A value: steps give a new one.
 */
export interface Cursors {
  /** Cursors of the second page and on. */
  readonly stack: readonly string[]
  /** Entries on a page. */
  readonly limit: number
}

export function firstPage(limit: number): Cursors {
  return { stack: [], limit }
}

/** The cursor of the page shown; undefined for the first. */
export function cursorOf(cursors: Cursors): string | undefined {
  return cursors.stack.at(-1)
}

export function forward(cursors: Cursors, next: string): Cursors {
  return { ...cursors, stack: [...cursors.stack, next] }
}

export function back(cursors: Cursors): Cursors {
  return { ...cursors, stack: cursors.stack.slice(0, -1) }
}

/** `1–50 of 100,000`: the numbers of the entries shown, of `total` in all. */
export function range(cursors: Cursors, shown: number, total: number): string {
  if (shown === 0) return total === 0 ? 'None' : `0 of ${number(total)}`
  const before = cursors.stack.length * cursors.limit
  return `${number(before + 1)}–${number(before + shown)} of ${number(Math.max(total, before + shown))}`
}

const number = (value: number): string => value.toLocaleString('en')
