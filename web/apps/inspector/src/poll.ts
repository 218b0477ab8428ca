/** Where a poll lives: its clock, and whether anybody looks. */
export interface Surroundings {
  isHidden(): boolean
  /** Calls `changed` whenever `isHidden` may have changed; returns how to end that. */
  onVisibility(changed: () => void): () => void
}

/** The page in this tab. */
export const TAB: Surroundings = {
  isHidden: () => document.hidden,
  onVisibility(changed) {
    document.addEventListener('visibilitychange', changed)
    return () => {
      document.removeEventListener('visibilitychange', changed)
    }
  },
}

export interface PollOptions {
  /** From one answer to the next question, in ms; undefined: asked once, and again only by `restart`. */
  interval: () => number | undefined
  /** The longest wait after failures, in ms. */
  slowest?: number
  surroundings?: Surroundings
}

/**
 * A question that is asked again and again: never twice at a time, not while the tab is hidden, and more and more slowly
 * while it fails. `ask` tells whether it got an answer; it rejects only by a mistake in the page, which ends the poll.
 *
 * ```text
 *            restart              settled
 *  stopped ──────────► asking ──────────────► waiting ─┐
 *     ▲                  ▲   the tab is seen, or time  │
 *     │ stop, any time   └─────────────────────────────┘
 * ```
 */
export class Poll {
  private timer: ReturnType<typeof setTimeout> | undefined
  private asking: AbortController | undefined
  private failures = 0
  private isDue = false
  private unwatch: (() => void) | undefined

  constructor(
    private readonly ask: (signal: AbortSignal) => Promise<boolean>,
    private readonly options: PollOptions,
  ) {}

  /** Asks at once, also when a question is under way: that one is aborted, and its answer is nobody's. */
  restart(): void {
    this.unwatch ??= this.surroundings.onVisibility(() => {
      if (this.isDue && !this.surroundings.isHidden()) void this.run()
    })
    void this.run()
  }

  /** Ends it: nothing is asked any more, and what is under way is aborted. */
  stop(): void {
    this.unwatch?.()
    this.unwatch = undefined
    this.halt()
  }

  private get surroundings(): Surroundings {
    return this.options.surroundings ?? TAB
  }

  private halt(): void {
    clearTimeout(this.timer)
    this.asking?.abort()
    this.asking = undefined
    this.isDue = false
  }

  private async run(): Promise<void> {
    this.halt()
    const asking = (this.asking = new AbortController())
    const isAnswered = await this.ask(asking.signal)
    if (this.asking !== asking) return
    this.asking = undefined
    this.failures = isAnswered ? 0 : this.failures + 1
    this.wait()
  }

  private wait(): void {
    const interval = this.options.interval()
    // What is asked only once is asked until it has been answered.
    if (interval === undefined && this.failures === 0) return
    const wait = Math.min((interval ?? 1000) * 2 ** this.failures, this.options.slowest ?? 10_000)
    this.timer = setTimeout(() => {
      this.isDue = true
      if (!this.surroundings.isHidden()) void this.run()
    }, wait)
  }
}
