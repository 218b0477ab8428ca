/** A browser's pages, for what they share: locks, BroadcastChannels, a SharedWorker. In virtual time; a page may crash. */

import { connect, type Client } from '../../src/index.ts'
import { shareOn } from '../../src/share/index.ts'
import { registry } from '../../src/share/registry.ts'
import type { Platform, Port, ShareOptions } from '../../src/share/wire.ts'
import { calm, FakeNetwork } from './network.ts'
import { Random } from './random.ts'
import { FakeServer } from './server.ts'

type Grant = (lock: unknown) => unknown

interface Wish {
  readonly page: Page
  readonly grant: Grant
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** Web Locks, exclusive ones only. */
class Locks {
  readonly #held = new Map<string, Wish>()
  readonly #queues = new Map<string, Wish[]>()

  request(page: Page, name: string, options: LockOptions, grant: Grant): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const wish: Wish = { page, grant, resolve, reject }
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      options.signal?.addEventListener('abort', () => {
        if (!queue.includes(wish)) return
        queue.splice(queue.indexOf(wish), 1)
        reject(new DOMException('aborted', 'AbortError'))
      })
      const holder = this.#held.get(name)
      if (options.steal === true && holder !== undefined) {
        this.#held.delete(name)
        holder.reject(new DOMException('stolen', 'AbortError'))
        queue.unshift(wish)
      } else queue.push(wish)
      this.#next(name)
    })
  }

  /** A page is no more. */
  drop(page: Page): void {
    for (const [name, queue] of this.#queues) {
      queue.splice(0, queue.length, ...queue.filter((wish) => wish.page !== page))
      if (this.#held.get(name)?.page === page) this.#held.delete(name)
      this.#next(name)
    }
  }

  #next(name: string): void {
    setTimeout(() => {
      const wish = this.#held.has(name) ? undefined : this.#queues.get(name)?.shift()
      if (wish === undefined) return
      this.#held.set(name, wish)
      void Promise.resolve(wish.grant({ name })).then((value) => {
        if (this.#held.get(name) !== wish) return
        this.#held.delete(name)
        wish.resolve(value)
        this.#next(name)
      })
    }, 1)
  }
}

/** What is posted arrives later, as a copy, in order. */
class FakePort implements Port {
  onmessage: ((event: MessageEvent) => void) | null = null
  others: () => FakePort[] = () => []
  readonly #page: Page
  #isOpen = true

  constructor(page: Page) {
    this.#page = page
  }

  postMessage(message: unknown): void {
    if (!this.#isOpen || this.#page.isGone) return
    const copy: unknown = structuredClone(message)
    const others = this.others()
    setTimeout(() => {
      for (const other of others) {
        other.#page.whenAwake(() => {
          if (other.#isOpen && !other.#page.isGone) other.onmessage?.({ data: copy } as MessageEvent)
        })
      }
    }, 1)
  }

  close(): void {
    this.#isOpen = false
  }
}

/** A tab, or a worker: what it opens dies with it. */
export class Page {
  isGone = false
  readonly network: FakeNetwork
  readonly platform: Platform
  #asleep: (() => void)[] | undefined

  /** It does not run, and what comes waits. */
  sleep(): void {
    this.#asleep ??= []
  }

  wake(): void {
    const waiting = this.#asleep ?? []
    this.#asleep = undefined
    for (const arrive of waiting) arrive()
  }

  whenAwake(arrive: () => void): void {
    if (this.#asleep === undefined) arrive()
    else this.#asleep.push(arrive)
  }

  constructor(browser: Browser) {
    this.network = new FakeNetwork(browser.server, calm())
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the class below has a `this` of its own
    const page = this
    this.platform = {
      locks: {
        request: ((name: string, second: LockOptions | Grant, third?: Grant) =>
          browser.locks.request(page, name, third === undefined ? {} : (second as LockOptions), third ?? (second as Grant))) as LockManager['request'],
      },
      BroadcastChannel: class extends FakePort {
        constructor(name: string) {
          super(page)
          const all = browser.channels.get(name) ?? new Set()
          browser.channels.set(name, all.add(this))
          this.others = () => [...all].filter((other) => other !== this)
        }
      },
      start: { fetch: this.network.fetch, WebSocket: this.network.WebSocket, random: browser.random.next },
    }
  }
}

export class Browser {
  readonly server = new FakeServer()
  readonly locks = new Locks()
  readonly channels = new Map<string, Set<FakePort>>()
  readonly random: Random
  #worker: { page: Page; admit: (port: Port) => void } | undefined
  /** How many workers were started. */
  workers = 0

  constructor(seed = 7) {
    this.random = new Random(seed)
  }

  /** Opens a page that shares its connection. With `inWorker` that lives in a SharedWorker. */
  open(options: ShareOptions = {}, inWorker = false): { page: Page; client: Client } {
    const page = new Page(this)
    const client = shareOn(page.platform, 'http://server', inWorker ? { ...options, worker: () => this.#connect(page) } : options)
    return { page, client }
  }

  /** A client of its own, that nobody shares. */
  alone(): Client {
    const { start } = new Page(this).platform
    return connect('http://server', start)
  }

  /** The page ends without a word. */
  crash(page: Page): void {
    page.isGone = true
    page.network.breakAll()
    // What is on its way arrives; what its code still says, which goes on here, does not in the time of a test.
    page.network.faults.latency = () => 1_000_000_000
    this.locks.drop(page)
  }

  crashWorker(): void {
    if (this.#worker !== undefined) this.crash(this.#worker.page)
    this.#worker = undefined
  }

  get worker(): Page | undefined {
    return this.#worker?.page
  }

  #connect(tab: Page): SharedWorker {
    if (this.#worker === undefined) {
      const page = new Page(this)
      this.workers += 1
      this.#worker = { page, admit: registry(page.platform) }
    }
    const [near, far] = [new FakePort(tab), new FakePort(this.#worker.page)]
    near.others = () => [far]
    far.others = () => [near]
    const { admit } = this.#worker
    // The port keeps what comes before somebody listens.
    admit(far)
    return { port: near, onerror: null } as unknown as SharedWorker
  }
}
