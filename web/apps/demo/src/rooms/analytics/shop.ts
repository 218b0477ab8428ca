import type { Message } from '@antiphon/client'
import { Points } from '@antiphon/ui'

/** Something that a visitor of the shop did. */
export interface ShopEvent {
  readonly product: string
  readonly kind: 'view' | 'cart' | 'order'
  /** How long the shop took to answer, in milliseconds. */
  readonly ms: number
  /** In cents, where it is an order. */
  readonly price?: number
}

/** What is published: events, and now and then all that they add up to. */
export interface ShopMessage {
  readonly events: readonly ShopEvent[]
  /** The page that simulates them. */
  readonly by?: string
  readonly summary?: Summary
}

export interface Counts {
  views: number
  carts: number
  orders: number
  /** In cents. */
  revenue: number
}

/** All that is known of the shop after the message of offset `through`. Who comes later begins with it. */
export interface Summary {
  readonly through: number
  /** The second that has not passed, since 1970, and its events and orders. */
  readonly second: number
  readonly current: readonly number[]
  readonly products: Readonly<Record<string, Counts>>
  readonly latency: readonly number[]
  /** Events and orders of the seconds before it. */
  readonly rates: readonly (readonly (number | null)[])[]
}

/** Upper bounds of the bars of the histogram, in milliseconds; what is above the last has a bar of its own. */
export const BOUNDS = [5, 10, 20, 50, 100, 200, 500, 1000] as const

/** So many seconds are kept. */
export const SECONDS = 60
/** What a second leaves of the histogram: after 15 seconds an event counts half. */
const KEPT = 0.5 ** (1 / 15)
/** So many products have a row; events of others are counted without one. */
const PRODUCTS = 30
const COLUMN = { view: 'views', cart: 'carts', order: 'orders' } as const

/** The shop in numbers: what events add up to, by product, by second and by how long they took. */
export class Shop {
  readonly products = new Map<string, Counts>()
  /** Events and orders of each second that has passed. */
  readonly rates = new Points(2, SECONDS + 1)
  /** How many events are in each bar of the histogram, old ones for less. */
  latency: number[] = Array.from({ length: BOUNDS.length + 1 }, () => 0)
  /** The offset of the last message that counts. */
  #through = 0
  #second = 0
  /** Events and orders of the second that has not passed. */
  #current: [number, number] = [0, 0]

  get through(): number {
    return this.#through
  }

  /** Counts a message; `time` is when it was published, in milliseconds since 1970. */
  add({ events }: ShopMessage, offset: number, time: number): void {
    this.#through = offset
    this.advance(time)
    for (const { product, kind, ms, price = 0 } of events) {
      this.#current[0] += 1
      if (kind === 'order') this.#current[1] += 1
      const bar = BOUNDS.findIndex((bound) => ms <= bound)
      const index = bar < 0 ? BOUNDS.length : bar
      this.latency[index] = (this.latency[index] ?? 0) + 1
      const counts = this.products.get(product) ?? { views: 0, carts: 0, orders: 0, revenue: 0 }
      counts[COLUMN[kind]] += 1
      if (kind === 'order') counts.revenue += price
      if (this.products.size < PRODUCTS) this.products.set(product, counts)
    }
  }

  /** Ends the seconds that have passed at `time`, also those without an event. */
  advance(time: number): void {
    const second = Math.floor(time / 1000)
    if (this.#second === 0) this.#second = second
    if (second - this.#second > SECONDS) this.#second = second - SECONDS
    for (; this.#second < second; this.#second += 1) {
      this.rates.add(this.#second * 1000, this.#current)
      this.#current = [0, 0]
      this.latency = this.latency.map((amount) => amount * KEPT)
    }
  }

  summary(): Summary {
    return {
      through: this.#through,
      second: this.#second,
      current: this.#current,
      products: Object.fromEntries(this.products),
      latency: this.latency.map((amount) => Math.round(amount * 100) / 100),
      rates: this.rates.values,
    }
  }

  /** Begins with what another page has counted. */
  static from(summary: Summary): Shop {
    const shop = new Shop()
    shop.#through = summary.through
    shop.#second = summary.second
    shop.#current = [summary.current[0] ?? 0, summary.current[1] ?? 0]
    shop.latency = shop.latency.map((_, index) => summary.latency[index] ?? 0)
    for (const [name, counts] of Object.entries(summary.products)) shop.products.set(name, { ...counts })
    const [events = [], orders = []] = summary.rates
    events.forEach((amount, index) => { shop.rates.add((summary.second - events.length + index) * 1000, [amount, orders[index] ?? null]) })
    return shop
  }
}

/** Counts what was published before this page came, oldest first: from the last summary on that nothing is missing after. */
export function fold(messages: readonly Message<ShopMessage>[]): Shop {
  const first = messages[0]?.offset ?? 0
  const summary = messages.findLast(({ data }) => data.summary !== undefined && data.summary.through >= first - 1)?.data.summary
  const shop = summary === undefined ? new Shop() : Shop.from(summary)
  for (const message of messages) {
    if ((message.offset ?? 0) > shop.through) count(shop, message)
  }
  return shop
}

/** Counts a message as it comes from the channel. */
export function count(shop: Shop, { data, offset = 0, time = Date.now() }: Message<ShopMessage>): void {
  shop.add(data, offset, time)
}

/** How long the given share of events took at most, by the bars; `undefined` without events or above the last bound. */
export function quantile(latency: readonly number[], share: number): number | undefined {
  const total = latency.reduce((sum, amount) => sum + amount, 0)
  let sum = 0
  return total < 0.5 ? undefined : BOUNDS[latency.findIndex((amount) => (sum += amount) >= total * share)]
}

/**
 * Looks at what has been published in the channel, where everybody may publish.
 *
 * @throws TypeError when it is no message of the shop.
 */
export function toShopMessage(data: unknown): ShopMessage {
  const { events } = (data ?? {}) as { events?: unknown }
  if (!Array.isArray(events) || !events.every(isEvent)) {
    throw new TypeError('A message of the shop is {"events": [{"product": "...", "kind": "view", "cart" or "order", "ms": number}]}')
  }
  return data as ShopMessage
}

function isEvent(event: unknown): event is ShopEvent {
  const { product, kind, ms, price = 0 } = (event ?? {}) as Partial<Record<string, unknown>>
  const isNumber = (value: unknown): boolean => typeof value === 'number' && value >= 0
  return typeof product === 'string' && product !== '' && product.length <= 60 && ['view', 'cart', 'order'].includes(kind as string) && isNumber(ms) && isNumber(price)
}
