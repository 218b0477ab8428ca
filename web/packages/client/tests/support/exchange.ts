/** Bytes on their way, in virtual time. */

import type { FakeNetwork, Faults } from './network.ts'

/** Things arrive in the order in which they were sent; once one has not, nothing does. */
export class Pipe {
  readonly #faults: Faults
  readonly #route: string
  #free = 0
  #isStalled = false

  constructor(faults: Faults, route: string) {
    this.#faults = faults
    this.#route = route
  }

  send(arrive: () => void): void {
    this.#free = Math.max(this.#free, Date.now() + this.#faults.latency(this.#route))
    setTimeout(() => {
      this.#isStalled ||= this.#faults.isDead
      if (!this.#isStalled) arrive()
    }, this.#free - Date.now())
  }
}

/** One request and its response. */
export class Exchange {
  readonly up: Pipe
  isOver = false
  onend: (() => void) | undefined
  readonly #network: FakeNetwork
  readonly #down: Pipe
  readonly #resolve: (response: Response) => void
  readonly #reject: (error: Error) => void
  readonly #forget: () => void
  #chunks: Uint8Array[] = []
  #isComplete = false
  #failure: Error | undefined
  #wake = (): void => undefined

  constructor(network: FakeNetwork, route: string, resolve: (response: Response) => void, reject: (error: Error) => void, signal: AbortSignal | undefined) {
    this.#network = network
    this.up = new Pipe(network.faults, route)
    this.#down = new Pipe(network.faults, route)
    this.#resolve = resolve
    this.#reject = reject
    this.#forget = network.live(() => { this.fail() })
    signal?.addEventListener('abort', () => {
      this.#fail(new DOMException('aborted', 'AbortError'))
      // The server sees it later.
      this.up.send(() => { this.onend?.() })
    })
  }

  answer(status: number, body: string): void {
    this.head(status)
    if (body !== '') this.write(body)
    this.end()
  }

  head(status: number): void {
    this.#later(() => { this.#resolve(this.#response(status)) })
  }

  write(text: string): void {
    for (const part of this.#network.faults.split(text)) {
      const fault = this.#network.faults.fault()
      this.#later(() => {
        if (fault !== 'lost') {
          this.#chunks.push(new TextEncoder().encode(part))
          this.#wake()
        }
        if (fault !== 'none') this.fail()
      })
    }
  }

  end(): void {
    this.#later(() => {
      this.#isComplete = true
      this.#over()
    })
  }

  /** The connection breaks. */
  fail(): void {
    this.#fail(new TypeError('network error'))
    this.onend?.()
  }

  #later(arrive: () => void): void {
    this.#down.send(() => {
      if (!this.isOver) arrive()
    })
  }

  #fail(error: Error): void {
    if (this.isOver) return
    this.#failure = error
    this.#reject(error)
    this.#over()
  }

  #over(): void {
    this.isOver = true
    this.#forget()
    this.#wake()
  }

  async #read(): Promise<{ done: boolean; value?: Uint8Array }> {
    for (;;) {
      const value = this.#chunks.shift()
      if (value !== undefined) return { done: false, value }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#isComplete) return { done: true }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #response(status: number): Response {
    const reader = { read: () => this.#read() }
    const json = async (): Promise<unknown> => {
      const decoder = new TextDecoder()
      let text = ''
      for (let chunk = await this.#read(); !chunk.done; chunk = await this.#read()) text += decoder.decode(chunk.value, { stream: true })
      return JSON.parse(text)
    }
    return { status, ok: status >= 200 && status < 300, body: { getReader: () => reader }, json } as unknown as Response
  }
}
