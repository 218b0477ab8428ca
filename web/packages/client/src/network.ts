/** What a {@link Watch} asks and tells. */
export interface Watched {
  /** Sends something that the server answers. */
  probe(): void
  /** The network is dead: nothing has come for so long though something had to. */
  isDead(): void
}

/** Beyond the interval of the server's pings, in milliseconds. */
const SLACK = 10_000
/** How long a hidden page waits before it asks where the server does not ping. */
const HIDDEN = 30_000

/**
 * Notices that a connection is dead though nothing says so.
 *
 * ```text
 *             half of `silence` without a message          the other half, still none
 *   quiet ──────────────────────────────────────► probing ───────────────────────────► dead
 *     ▲                                              │
 *     └──────────────── any message ─────────────────┘
 * ```
 *
 * A page that nobody sees does not ask by itself where the server pings: it waits for that, and somewhat longer.
 */
export class Watch {
  readonly #silence: number
  readonly #watched: Watched
  #timer: ReturnType<typeof setTimeout> | undefined
  #heardAt = 0
  #ping = 0

  constructor(silence: number, watched: Watched) {
    this.#silence = silence
    this.#watched = watched
  }

  /** A connection begins. @param ping milliseconds from one ping of the server to the next, 0 for none. */
  start(ping: number): void {
    this.#ping = ping
    this.heard()
    this.#wait()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** A message has come. */
  heard(): void {
    this.#heardAt = Date.now()
  }

  /** Asks now; the answer has to come within `limit` milliseconds. */
  check(limit = Math.min(this.#silence / 2, SLACK)): void {
    if (this.#timer === undefined) return
    const askedAt = Date.now()
    this.#heardAt = Math.min(this.#heardAt, askedAt - 1)
    this.#watched.probe()
    this.#arm(limit, () => {
      if (this.#heardAt >= askedAt) this.#wait()
      else this.#watched.isDead()
    })
  }

  #wait(): void {
    const patience = this.#patience()
    const rest = this.#heardAt + patience - Date.now()
    this.#arm(Math.max(rest, 0), () => {
      if (this.#heardAt + patience > Date.now()) this.#wait()
      else this.check()
    })
  }

  #arm(delay: number, then: () => void): void {
    clearTimeout(this.#timer)
    this.#timer = delay === Infinity ? undefined : setTimeout(then, delay)
  }

  #patience(): number {
    if (this.#silence === Infinity) return this.#ping > 0 ? this.#ping + SLACK : HIDDEN
    const isHidden = typeof document !== 'undefined' && document.visibilityState === 'hidden'
    if (!isHidden) return this.#silence / 2
    return Math.max(this.#silence / 2, this.#ping > 0 ? this.#ping + SLACK : HIDDEN)
  }
}

/** What a page hears of its network and of itself. */
export interface Signs {
  /** Something has changed: look whether the connection lives, and do not wait with the next attempt. `isOtherNetwork`: what failed may work now. */
  changed(isOtherNetwork: boolean): void
  /** The page is left: for good, or to be kept as it is by the browser, which may show it again. */
  left(isKept: boolean): void
}

/** Listens to the page, where there is one. Gives what ends that. */
export function listen(signs: Signs): () => void {
  const page = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>
  if (typeof page.addEventListener !== 'function') return () => undefined
  const stop = new AbortController()
  const on = (target: Pick<EventTarget, 'addEventListener'>, name: string, listener: (event: Event) => void): void => {
    target.addEventListener(name, listener, { signal: stop.signal })
  }
  on(page as EventTarget, 'online', () => { signs.changed(true) })
  on(page as EventTarget, 'offline', () => { signs.changed(false) })
  on(page as EventTarget, 'pageshow', () => { signs.changed(false) })
  on(page as EventTarget, 'pagehide', (event) => { signs.left((event as PageTransitionEvent).persisted) })
  if (typeof document !== 'undefined') {
    on(document, 'visibilitychange', () => {
      if (document.visibilityState === 'visible') signs.changed(false)
    })
  }
  return () => { stop.abort() }
}
