import { expect, test } from 'vitest'
import { parseJson, pretty } from '../src/json'

test.each(['null', '0', '"text"', '[1,2]', ' {"a":{"b":[]}} '])('%s is JSON', (text) => {
  expect(parseJson(text)).toEqual({ data: JSON.parse(text) as unknown })
})

test.each([
  ['  ', 'Write a JSON value, for example {"text":"hello"}.'],
  ['{"a":1,}', 'Not JSON: Expected double-quoted property name at line 1, column 8.'],
  ['{\n  "a" 1\n}', "Not JSON: Expected ':' after property name at line 2, column 7."],
  ['{"a":', 'Not JSON yet: it ends too early.'],
  ['[1,2', 'Not JSON yet: it ends too early.'],
  ['"abc', 'Not JSON yet: it ends too early.'],
  ['hello', "Not JSON: Unexpected token 'h'."],
])('%j is not: %s', (text, problem) => {
  expect(parseJson(text)).toEqual({ problem })
})

test('what is no JSON is shown as it is', () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
  expect(pretty('{"a":1}\n{"b":2}\n')).toBe('{\n  "a": 1\n}\n{\n  "b": 2\n}')
  expect(pretty('{"a":1}\n{"cut')).toBe('{"a":1}\n{"cut')
  expect(pretty('{"cut off')).toBe('{"cut off')
})
