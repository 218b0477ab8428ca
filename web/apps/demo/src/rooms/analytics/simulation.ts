import { onScopeDispose, readonly, ref, type Ref } from 'vue'
import type { ShopEvent, ShopMessage, Summary } from './shop'

/** So long nobody is heard before a page begins to simulate, and a random part of `SPREAD` longer, so that not all begin together. */
const SILENCE = 2000
const SPREAD = 500
/** Milliseconds between two messages: 50 a second, however many events are in them. */
const STEP = 20
const SUMMARY_EVERY = 1000
/** So many messages may be on their way; beyond that a page simulates no more until some have arrived. */
const UNDER_WAY = 100

/** Whose turn it is to simulate, among pages that only hear each other. */
export class Turn {
  readonly me: string
  readonly #patience: number
  #heardAt: number
  #isMine = false

  /** `chance` is from 0 to 1, `now` in milliseconds. */
  constructor(me: string, chance: number, now: number) {
    this.me = me
    this.#patience = SILENCE + chance * SPREAD
    this.#heardAt = now
  }

  /** An event has come, from the page `by` where a page simulates it. Of two that began together the one with the smaller name goes on. */
  heard(by: string | undefined, now: number): void {
    if (by === this.me) return
    this.#heardAt = now
    if (by !== undefined && by < this.me) this.#isMine = false
  }

  isMine(now: number): boolean {
    if (now - this.#heardAt >= this.#patience) this.#isMine = true
    return this.#isMine
  }

  release(now: number): void {
    this.#isMine = false
    this.#heardAt = now
  }
}

/** Name, price in cents, how often it is looked at. */
const CATALOGUE = [
  ['Aurora lamp', 4900, 14],
  ['Birch chair', 12900, 10],
  ['Copper kettle', 6400, 9],
  ['Desk clock', 3200, 8],
  ['Enamel mug', 1400, 16],
  ['Felt slippers', 2900, 12],
  ['Garden shears', 2700, 5],
  ['Honey jar', 900, 11],
  ['Ink set', 1900, 4],
  ['Juniper soap', 700, 7],
  ['Kite', 2300, 3],
  ['Linen towel', 1600, 6],
] as const
const WEIGHT = CATALOGUE.reduce((sum, [, , weight]) => sum + weight, 0)

/** What some visitor may have done. */
export function anyEvent(random: () => number): ShopEvent {
  let left = random() * WEIGHT
  const [product, price] = CATALOGUE.find(([, , weight]) => (left -= weight) < 0) ?? CATALOGUE[0]
  const chance = random()
  const kind = chance < 0.05 ? 'order' : chance < 0.2 ? 'cart' : 'view'
  // Most answers are quick, orders are not, and a few of all are slow.
  const ms = Math.exp(2.6 + 1.1 * (random() + random() + random() - 1.5) * 2) * (kind === 'order' ? 4 : 1)
  return { product, kind, ms: Math.round(ms * 10) / 10, ...(kind === 'order' && { price }) }
}

/** Publishes simulated events as long as it is wanted, the page is seen, and nobody else does. */
export function useSimulation(shop: { publish: (message: ShopMessage) => Promise<void>; isReady: () => boolean; summary: () => Summary }): {
  isWanted: Ref<boolean>
  /** Events a second. */
  rate: Ref<number>
  isMine: Readonly<Ref<boolean>>
  heard: (by: string | undefined) => void
} {
  const isWanted = ref(true)
  const rate = ref(50)
  const isMine = ref(false)
  const turn = new Turn(Math.random().toString(36).slice(2), Math.random(), performance.now())
  let last = performance.now()
  let due = 0
  let summaryAt = 0
  let underWay = 0

  function step(): void {
    const now = performance.now()
    const passed = Math.min(now - last, SUMMARY_EVERY)
    last = now
    if (!isWanted.value || document.hidden || !shop.isReady()) turn.release(now)
    isMine.value = turn.isMine(now)
    due = isMine.value && underWay < UNDER_WAY ? due + (rate.value * passed) / 1000 : 0
    if (due < 1) return
    const events = Array.from({ length: Math.floor(due) }, () => anyEvent(Math.random))
    due -= events.length
    const isSummed = now - summaryAt >= SUMMARY_EVERY
    if (isSummed) summaryAt = now
    underWay += 1
    const settled = (): void => {
      underWay -= 1
    }
    // What is lost here shows in the connection's panel, and in the chart.
    shop.publish({ events, by: turn.me, ...(isSummed && { summary: shop.summary() }) }).then(settled, settled)
  }

  const timer = setInterval(step, STEP)
  onScopeDispose(() => {
    clearInterval(timer)
  })
  return { isWanted, rate, isMine: readonly(isMine), heard: (by) => { turn.heard(by, performance.now()) } }
}
