/** Numbers in words, in English wherever the reader is: they stand in English sentences. Each takes `null` for what is not known. */

type Known = number | null | undefined

/** What stands where nothing is known. */
export const NOTHING = '–'

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
const THOUSANDS = ['', 'k', 'M', 'G', 'T']

/** `1234567` is `1,234,567`. */
export function count(value: Known): string {
  return isKnown(value) ? WHOLE.format(value) : NOTHING
}

/** Three digits and a letter, for axes: `12300` is `12.3k`. */
export function short(value: Known): string {
  if (!isKnown(value)) return NOTHING
  const { scaled, step } = scale(value, 1000, THOUSANDS.length)
  return `${digits(scaled)}${THOUSANDS[step] ?? ''}`
}

/** `1536` is `1.5 KiB`. */
export function bytes(value: Known): string {
  if (!isKnown(value)) return NOTHING
  const { scaled, step } = scale(value, 1024, BYTES.length)
  return `${step === 0 ? WHOLE.format(scaled) : digits(scaled)} ${BYTES[step] ?? ''}`
}

/** How many of something a second. */
export function rate(value: Known): string {
  return isKnown(value) ? `${short(value)}/s` : NOTHING
}

export function byteRate(value: Known): string {
  return isKnown(value) ? `${bytes(value)}/s` : NOTHING
}

/** A share of one: `0.256` is `26%`, below a tenth `2.6%`. */
export function percent(value: Known): string {
  if (!isKnown(value)) return NOTHING
  const hundredths = value * 100
  return `${Math.abs(hundredths) >= 9.95 ? WHOLE.format(hundredths) : Number(hundredths.toFixed(1))}%`
}

/** `0.42 ms`, `12 ms`, `1.2 s`. */
export function milliseconds(value: Known): string {
  if (!isKnown(value)) return NOTHING
  return Math.abs(value) < 999.5 ? `${digits(value)} ms` : `${digits(value / 1000)} s`
}

/** Seconds in the two largest units: `7384` is `2 h 3 min`. */
export function duration(value: Known): string {
  if (!isKnown(value)) return NOTHING
  const seconds = Math.max(0, Math.floor(value))
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first < 0) return '0 s'
  return parts.slice(first, first + 2).filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount} ${unit}`).join(' ')
}

const TIME = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })

/** The time of day where the reader is: `17:04:09`. `at` is in milliseconds since 1970. */
export function timeOfDay(at: Known): string {
  return isKnown(at) && Math.abs(at) <= 8.64e15 ? TIME.format(at) : NOTHING
}

function isKnown(value: Known): value is number {
  return value !== null && value !== undefined && Number.isFinite(value)
}

function scale(value: number, base: number, steps: number): { scaled: number; step: number } {
  let scaled = value
  let step = 0
  // What would be shown as `1000` is the next unit's `1`.
  while (Math.abs(scaled) >= base - 0.5 && step < steps - 1) {
    scaled /= base
    step += 1
  }
  return { scaled, step }
}

/** Three digits that matter, without zeros behind. */
function digits(value: number): string {
  const size = Math.abs(value)
  return WHOLE.format(value) === '-0' || size === 0 ? '0' : size >= 99.95 ? WHOLE.format(value) : String(Number(value.toFixed(size >= 9.995 ? 1 : 2)))
}
