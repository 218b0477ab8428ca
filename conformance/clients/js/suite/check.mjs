// Assertions that say what they saw. Nothing of Node: this runs in pages as well.

/** A check that failed. */
export class Wrong extends Error {
  name = "Wrong";
}

const KEYED = (value) => typeof value === "object" && value !== null;

function same(a, b) {
  if (Object.is(a, b)) return true;
  if (!KEYED(a) || !KEYED(b) || Array.isArray(a) !== Array.isArray(b)) return false;
  if (a instanceof Uint8Array || b instanceof Uint8Array) {
    return a.length === b.length && [...a].every((byte, n) => byte === b[n]);
  }
  const [names, others] = [Object.keys(a), Object.keys(b)];
  return names.length === others.length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
}

const LONGEST = 600;

function shown(value) {
  const text = value instanceof Uint8Array ? `bytes [${value}]` : (JSON.stringify(value) ?? String(value));
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}... (${text.length} characters)` : text;
}

export function ok(value, what) {
  if (!value) throw new Wrong(what);
}

/** Both are the same, however deep. */
export function equal(actual, expected, what = "it") {
  if (!same(actual, expected)) throw new Wrong(`${what} should be ${shown(expected)}, and is ${shown(actual)}`);
}

/** `actual` has these fields, and may have others. */
export function has(actual, fields, what = "it") {
  ok(KEYED(actual), `${what} should be an object, and is ${shown(actual)}`);
  for (const [name, expected] of Object.entries(fields)) equal(actual[name], expected, `${what}.${name}`);
}

/** The promise is refused with this code. Gives the error. */
export async function refused(promise, code, what = "it") {
  let value;
  try {
    value = await promise;
  } catch (error) {
    equal(error.code, code, `the code of what ${what} is refused with (${error.message})`);
    return error;
  }
  throw new Wrong(`${what} should be refused with ${code}, and gave ${shown(value)}`);
}
