import { expect, test } from 'vitest'
import { top } from '../src/scale'

test.each([
  [0, 1, 1],
  [7, 0, 8],
  [9.5, 0, 12],
  [95, 0, 120],
  [4, 100, 100],
  [0.02, 0, 0.025],
])('the top over %s, at least %s, is %s', (highest, floor, expected) => {
  expect(top(highest, floor)).toBeCloseTo(expected, 10)
})

test('the top of bytes is round in twos', () => {
  expect(top(900 * 1024 ** 2, 0, true)).toBe(1024 ** 3)
  expect(top(1024 ** 3, 0, true)).toBe(1.25 * 1024 ** 3)
})
