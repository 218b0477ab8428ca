const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const DATE_AND_TIME = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' })

/** Largest time that a `Date` can hold; a publication may claim more. */
const LATEST = 8.64e15

export function clock(at: number): string {
  return TIME.format(Math.min(at, LATEST))
}

export function fullDate(at: number): string {
  return DATE_AND_TIME.format(Math.min(at, LATEST))
}

export function isoDate(at: number): string {
  return new Date(Math.min(at, LATEST)).toISOString()
}
