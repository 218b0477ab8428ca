import { AntiphonError, codes } from './errors.ts'
import type { Lasting } from './protocol.ts'

/** A token, or what gives a fresh one. An empty one says that the user may not. */
export type TokenSource = string | (() => string | Promise<string>)

/** The longest delay of a timer, in milliseconds: 24 days. */
const LONGEST = 2_147_483_647

/** A token that is kept as long as it is valid, and renewed before it expires. */
export class Pass {
  readonly #source: TokenSource | undefined
  readonly #renew: (token: string) => void
  readonly #failed: (error: AntiphonError) => void
  #token: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined

  /**
   * @param renew is given a fresh token when the old one is about to expire.
   * @param failed hears why there is none.
   */
  constructor(source: TokenSource | undefined, renew: (token: string) => void, failed: (error: AntiphonError) => void) {
    this.#source = source
    this.#token = typeof source === 'string' ? source : undefined
    this.#renew = renew
    this.#failed = failed
  }

  /** The token, at once where it is there: `''` where none is needed. The promise rejects with what the function threw, or with `unauthorized`. */
  get(): string | Promise<string> {
    if (this.#token !== undefined) return this.#token
    return this.#source === undefined ? '' : this.#ask()
  }

  /** The token is of no use any more. Gives whether another one can be had. */
  expire(): boolean {
    if (typeof this.#source !== 'function') return false
    this.#token = undefined
    return true
  }

  /** What it is for lasts so long: shortly before the end it is renewed. */
  lasts({ expires, ttl }: Lasting): void {
    this.stop()
    if (expires === true && ttl !== undefined) this.#renewAfter(Math.min(ttl * 900, LONGEST))
  }

  /** Tries once more, where renewing has failed. */
  retry(delay: number): void {
    this.stop()
    this.#renewAfter(delay)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #renewAfter(delay: number): void {
    this.#timer = setTimeout(() => {
      const timer = this.#timer
      this.expire()
      Promise.resolve(this.get()).then(
        (token) => {
          if (timer === this.#timer) this.#renew(token)
        },
        (error: unknown) => {
          if (timer === this.#timer) this.#failed(toError(error))
        },
      )
    }, delay)
  }

  async #ask(): Promise<string> {
    const token = typeof this.#source === 'function' ? await this.#source() : ''
    if (token === '') throw new AntiphonError(codes.unauthorized, 'There is no token: unauthorized')
    this.#token = token
    return token
  }
}

/** An error of somebody else's function as one of ours, worth another try. */
export function toError(error: unknown): AntiphonError {
  if (error instanceof AntiphonError) return error
  return new AntiphonError(codes.unauthorized, `No token: ${error instanceof Error ? error.message : String(error)}`, 'unsent', true)
}
