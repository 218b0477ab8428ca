/** Distances that lines across a chart may have, where values are counted in twos: a tick at 512 MiB and not at 476.8. */
export const BINARY_STEPS: readonly number[] = Array.from({ length: 51 }, (_, power) => 2 ** power)

/** The top of a chart: a round number that is at least a tenth above the highest value, and at least `floor`. */
export function top(highest: number, floor: number, isBinary = false): number {
  const wanted = Math.max(highest * 1.1, floor)
  if (isBinary) return roundUp(wanted, 2, [1, 1.25, 1.5, 1.75, 2])
  return roundUp(wanted, 10, [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10])
}

function roundUp(value: number, base: number, steps: readonly number[]): number {
  if (!(value > 0)) return 1
  const unit = base ** Math.floor(Math.log(value) / Math.log(base))
  return unit * (steps.find((step) => unit * step >= value) ?? base)
}
