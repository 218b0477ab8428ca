/** The transports, best first. */
export const TRANSPORTS = ['websocket', 'http_stream', 'sse', 'poll'] as const

export type TransportName = (typeof TRANSPORTS)[number]

/** So often in a row must one fail that has worked before the next one is tried: it is rather the server that is away. */
const PATIENCE = 3

/** Which transport to take: the one that worked last, else the best that has not failed. When all have failed it begins again. */
export class Route {
  readonly #order: readonly TransportName[]
  readonly #forbidden = new Set<TransportName>()
  readonly #failures = new Map<TransportName, number>()
  #proven: TransportName | undefined

  constructor(order: readonly TransportName[]) {
    this.#order = order
  }

  /** The one for the next attempt; none when all are forbidden. */
  next(): TransportName | undefined {
    const allowed = this.#order.filter((name) => !this.#forbidden.has(name))
    const fresh = allowed.filter((name) => !this.#isExhausted(name))
    if (fresh.length === 0) {
      this.forget()
      return allowed[0]
    }
    return fresh.find((name) => name === this.#proven) ?? fresh[0]
  }

  /** It could not connect, was silent, or broke. Gives whether another one is next that has not been tried in this round. */
  failed(name: TransportName): boolean {
    this.#failures.set(name, (this.#failures.get(name) ?? 0) + 1)
    return this.#isExhausted(name) && this.#order.some((other) => !this.#forbidden.has(other) && !this.#isExhausted(other))
  }

  /** Messages went both ways on it. */
  worked(name: TransportName): void {
    this.#proven = name
  }

  /** And it stayed. */
  lasted(name: TransportName): void {
    this.#failures.delete(name)
  }

  /** What failed may work now: the network is another one. */
  forget(): void {
    this.#failures.clear()
    this.#proven = undefined
  }

  /** Better ones than this, best first. */
  better(name: TransportName): TransportName[] {
    return this.#order.slice(0, Math.max(0, this.#order.indexOf(name))).filter((other) => !this.#forbidden.has(other))
  }

  forbid(name: TransportName): void {
    this.#forbidden.add(name)
  }

  allow(name: TransportName): void {
    this.#forbidden.delete(name)
    this.#failures.delete(name)
  }

  #isExhausted(name: TransportName): boolean {
    return (this.#failures.get(name) ?? 0) >= (name === this.#proven ? PATIENCE : 1)
  }
}
