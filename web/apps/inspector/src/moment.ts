import { timeOfDay } from '@antiphon/ui'

const DAY = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })

/** A moment in ms since 1970 as `17:04:09`, with the day before it unless that is the day of `now`. */
export function moment(at: number, now: number): string {
  const isToday = new Date(at).toDateString() === new Date(now).toDateString()
  return isToday ? timeOfDay(at) : `${DAY.format(at)} ${timeOfDay(at)}`
}
