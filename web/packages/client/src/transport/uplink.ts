import { post, reasonOf, type End, type Link, type SessionName, type Start } from './transport.ts'

/** How often a request is tried again in a row, and after how many milliseconds each time. */
const RETRIES = [100, 500, 2000]

/** The server has too much to do to take commands now. */
const BUSY = 429

export interface Uplink {
  readonly ready: Link['ready']
  readonly wake: () => void
  readonly close: () => void
  readonly end: () => void
}

/**
 * The way up of transports that only come down: `POST /emulation`, one request at a time.
 *
 * What waits goes together. A request without an answer is made again: the server passes over the numbers that it has had. Its answer 409 says which
 * number is the next, 410 that the session is gone.
 */
export function uplink(start: Start, onclose: (end: End) => void): Uplink {
  let name: SessionName | undefined
  let cursor = 0
  let mayRepeat = false
  let isBusy = false
  let hasEnded = false
  const isOpen = (): boolean => !hasEnded
  let gaps = 0
  let failures = 0
  let isSingle = false
  let abort = new AbortController()

  function wake(): void {
    if (!hasEnded && !isBusy && name !== undefined) void run(name)
  }

  async function run(to: SessionName): Promise<void> {
    isBusy = true
    // What had no command in it need not be sent again: a later one says the same.
    for (let batch = start.collect(cursor, isSingle); isOpen() && batch !== undefined; batch = start.collect(cursor, isSingle)) {
      const outcome = await attempt({ ...to, data: batch.text })
      if (!isOpen()) return
      if (typeof outcome === 'string') {
        const wait = mayRepeat ? RETRIES[failures++] : undefined
        if (wait === undefined) {
          fail(outcome)
          return
        }
        await new Promise((resolve) => setTimeout(resolve, wait))
        continue
      }
      if (outcome.status === 409 && mayRepeat) {
        const expected = await expectedBy(outcome)
        if (!isOpen()) return
        if (expected === undefined || ++gaps > 2) {
          fail('the server expects another command than there is')
          return
        }
        cursor = expected - 1
      } else if (outcome.status === 413 && batch.count > 1) {
        isSingle = true
      } else if (outcome.status === 413 && batch.count === 1) {
        start.refused(batch.last)
      } else if (outcome.ok) {
        cursor = batch.last
        failures = gaps = 0
        isSingle = false
        start.covered(cursor)
      } else {
        fail(outcome.status === 410 ? 'the session is gone' : `the server answered ${outcome.status} to commands`)
        return
      }
    }
    isBusy = false
  }

  function fail(reason: string): void {
    hasEnded = true
    onclose({ code: 0, reason })
  }

  /** The response, or the reason why there is none that counts. */
  async function attempt(body: object): Promise<Response | string> {
    abort = new AbortController()
    const timer = setTimeout(() => { abort.abort() }, start.timeout)
    try {
      const response = await post(start, start.endpoints.emulation, JSON.stringify(body), abort.signal)
      return response.status < 500 && response.status !== BUSY ? response : `the server answered ${response.status} to commands`
    } catch (error) {
      return `commands do not get through: ${reasonOf(error)}`
    } finally {
      clearTimeout(timer)
    }
  }

  function close(): void {
    hasEnded = true
    abort.abort()
  }

  return {
    ready(given, after, repeat) {
      name = given
      cursor = after
      mayRepeat = repeat
      wake()
    },
    wake,
    close,
    end() {
      close()
      if (name !== undefined) endSession(start, name)
    },
  }
}

/** Ends a session without a transport, also while the page is being left. */
export function endSession(start: Pick<Start, 'endpoints' | 'fetch' | 'credentials'>, name: SessionName): void {
  const body = JSON.stringify({ ...name, close: true })
  const url = start.endpoints.emulation
  if (typeof navigator !== 'undefined' && typeof navigator.sendBeacon === 'function' && navigator.sendBeacon(url, body)) return
  start.fetch(url, { method: 'POST', body, keepalive: true, credentials: start.credentials }).catch(() => undefined)
}

async function expectedBy(response: Response): Promise<number | undefined> {
  try {
    const { expected } = (await response.json()) as { expected?: unknown }
    return typeof expected === 'number' ? expected : undefined
  } catch {
    return undefined
  }
}
