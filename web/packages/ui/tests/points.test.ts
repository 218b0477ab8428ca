import { expect, test } from 'vitest'
import { Points, stack } from '../src/points'

test('keeps the newest points, oldest first, and counts the changes', () => {
  const points = new Points(2, 3)
  for (let second = 1; second <= 5; second += 1) points.add(second * 1000, [second, second * 10])
  expect(points.times).toEqual([3, 4, 5])
  expect(points.values).toEqual([[3, 4, 5], [30, 40, 50]])
  expect(points.last(1)).toBe(50)
  expect(points.changes.value).toBe(5)
})

test('leaves out a point that is not newer than the last', () => {
  const points = new Points(1, 10)
  points.add(2000, [1])
  points.add(2000, [2])
  points.add(1000, [3])
  expect(points.values).toEqual([[1]])
  expect(points.changes.value).toBe(1)
})

test('a value that is missing is a gap', () => {
  const points = new Points(2, 10)
  points.add(1000, [1])
  expect(points.values).toEqual([[1], [null]])
  expect(points.last(1)).toBeNull()
})

test('is empty after clear, and takes older points again', () => {
  const points = new Points(1, 10)
  points.add(5000, [1])
  points.clear()
  points.add(1000, [2])
  expect(points.times).toEqual([1])
  expect(points.changes.value).toBe(3)
})

test('stacks each series on those before it, a gap as nothing', () => {
  expect(stack([[1, 2, null], [10, null, 30]])).toEqual([[1, 2, 0], [11, 2, 30]])
})
