import { shallowRef, type ShallowRef } from 'vue'

/** A value, or a gap in the line. */
export type Value = number | null

/**
 * The newest points of some series that share their times: at most `capacity`, oldest first.
 *
 * The arrays are not reactive. `changes` is: it counts, so that whoever draws may look as often as it likes and no more.
 */
export class Points {
  /** Seconds since 1970, growing. */
  readonly times: number[] = []
  readonly values: readonly Value[][]
  readonly changes: Readonly<ShallowRef<number>>
  readonly #changes = shallowRef(0)
  readonly #capacity: number

  constructor(series: number, capacity: number) {
    this.values = Array.from({ length: series }, () => [])
    this.#capacity = capacity
    this.changes = this.#changes
  }

  get length(): number {
    return this.times.length
  }

  /** Adds a point at `at`, in milliseconds since 1970. One that is not newer than the last is left out, or lines would run backwards. */
  add(at: number, values: readonly Value[]): void {
    const time = at / 1000
    if (time <= (this.times.at(-1) ?? -Infinity)) return
    this.times.push(time)
    this.values.forEach((column, index) => column.push(values[index] ?? null))
    if (this.times.length > this.#capacity) {
      this.times.shift()
      for (const column of this.values) column.shift()
    }
    this.#changes.value += 1
  }

  /** The newest value of a series. */
  last(series: number): Value {
    return this.values[series]?.at(-1) ?? null
  }

  clear(): void {
    this.times.length = 0
    for (const column of this.values) column.length = 0
    this.#changes.value += 1
  }
}

/** Each series on top of those before it. A gap counts as nothing. */
export function stack(values: readonly (readonly Value[])[]): Value[][] {
  const sums: number[] = []
  return values.map((column) => column.map((value, index) => (sums[index] = (sums[index] ?? 0) + (value ?? 0))))
}
