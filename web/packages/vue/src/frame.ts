/** The longest wait for a frame, in milliseconds: a page that is hidden has none. */
const LONGEST = 250

/** Runs something once for all the calls of `request` since the last frame. Outside of a page a macrotask is a frame. */
export class Frame {
  readonly #run: () => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #handle: number | undefined

  constructor(run: () => void) {
    this.#run = run
  }

  request(): void {
    if (this.#timer !== undefined) return
    const run = (): void => {
      this.cancel()
      this.#run()
    }
    const hasFrames = typeof requestAnimationFrame === 'function'
    if (hasFrames) this.#handle = requestAnimationFrame(run)
    this.#timer = setTimeout(run, hasFrames ? LONGEST : 0)
  }

  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#handle !== undefined) cancelAnimationFrame(this.#handle)
    this.#handle = undefined
  }
}
