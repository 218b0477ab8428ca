import type { Json } from './shapes'

export type Parsed = { data: Json } | { problem: string }

/** JSON as someone typed it: its value, or what is wrong with it and where. */
export function parseJson(text: string): Parsed {
  if (text.trim() === '') return { problem: 'Write a JSON value, for example {"text":"hello"}.' }
  try {
    return { data: JSON.parse(text) as Json }
  } catch (cause) {
    return { problem: described(cause instanceof Error ? cause.message : String(cause), text) }
  }
}

/** JSON with a line for each entry, also where each line is a value of its own; what is no JSON stays as it is. */
export function pretty(text: string): string {
  return laidOut(text) ?? lines(text) ?? text
}

function lines(text: string): string | undefined {
  const values = text.trim().split('\n').map(laidOut)
  return values.every((value) => value !== undefined) ? values.join('\n') : undefined
}

function laidOut(text: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(text), null, 2)
  } catch {
    return undefined
  }
}

/** The engine's own sentence, with line and column where it tells a position. */
function described(message: string, text: string): string {
  const position = /at position (\d+)/.exec(message)?.[1]
  const what = message.replace(/ in JSON.*$| at position.*$|, ".*$|^JSON\.parse: /gs, '')
  if (position === undefined) return /end of (JSON|data|input)/i.test(message) ? 'Not JSON yet: it ends too early.' : `Not JSON: ${what}.`
  const before = text.slice(0, Number(position)).split('\n')
  if (Number(position) >= text.length) return 'Not JSON yet: it ends too early.'
  return `Not JSON: ${what} at line ${before.length}, column ${(before.at(-1) ?? '').length + 1}.`
}
