import { expect, test } from 'vitest'
import { byteRate, bytes, count, duration, milliseconds, percent, rate, short } from '../src/format'

const cases: readonly [string, (value: number | null) => string, readonly [number | null, string][]][] = [
  ['count', count, [[0, '0'], [999, '999'], [1_234_567, '1,234,567'], [null, '–'], [NaN, '–']]],
  ['short', short, [[0, '0'], [0.126, '0.13'], [7, '7'], [99.96, '100'], [999.4, '999'], [999.6, '1k'], [12_340, '12.3k'], [2_500_000, '2.5M'], [-1500, '-1.5k'], [null, '–']]],
  ['bytes', bytes, [[0, '0 B'], [1023, '1,023 B'], [1024, '1 KiB'], [1536, '1.5 KiB'], [1_048_575, '1 MiB'], [5 * 1024 ** 3, '5 GiB'], [null, '–']]],
  ['rate', rate, [[0, '0/s'], [50, '50/s'], [1234, '1.23k/s'], [null, '–']]],
  ['byteRate', byteRate, [[2048, '2 KiB/s'], [null, '–']]],
  ['percent', percent, [[0, '0%'], [0.01, '1%'], [0.0123, '1.2%'], [0.0996, '10%'], [0.256, '26%'], [1, '100%'], [null, '–']]],
  ['milliseconds', milliseconds, [[0, '0 ms'], [0.4212, '0.42 ms'], [12.34, '12.3 ms'], [999.4, '999 ms'], [1200, '1.2 s'], [null, '–']]],
  ['duration', duration, [[0, '0 s'], [45, '45 s'], [185, '3 min 5 s'], [7384, '2 h 3 min'], [7200, '2 h'], [90_061, '1 d 1 h'], [-3, '0 s'], [null, '–']]],
]

for (const [name, format, pairs] of cases) {
  test.each(pairs)(`${name} of %s is %s`, (value, words) => {
    expect(format(value)).toBe(words)
  })
}
