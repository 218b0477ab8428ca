import { useChannel, useClient } from '@antiphon/vue'
import { onScopeDispose, shallowReadonly, shallowRef, watch, type ShallowRef } from 'vue'
import { recent } from '../recent'
import { count, fold, Shop, toShopMessage, type Counts, type ShopMessage } from './shop'
import { useSimulation } from './simulation'

const CHANNEL = 'analytics'
/** Among so many messages there is a summary, where a page simulates. */
const HISTORY = 300

/** What the page shows of the shop, made anew for each frame that something has come in. */
export interface View {
  readonly shop: Shop
  readonly products: readonly (Counts & { readonly name: string })[]
  readonly totals: Counts & { readonly events: number }
}

/** The shop from its channel: everything that pages and `curl` publish there, counted the same in each page. */
export function useShop() {
  const view: ShallowRef<View | undefined> = shallowRef()
  const channel = useClient<Record<string, unknown>>().channel(CHANNEL)
  /** When something came last, by the clock of this page and by that of the server. */
  let last = { here: Date.now(), there: Date.now() }

  const feed = useChannel<ShopMessage, typeof CHANNEL, Shop>(CHANNEL, {
    keep: 1,
    check: toShopMessage,
    load: async () => {
      const { messages, position } = await recent(channel, HISTORY, toShopMessage)
      return { state: fold(messages), position }
    },
    reduce: (shop, message) => {
      count(shop, message)
      last = { here: Date.now(), there: message.time ?? Date.now() }
      return shop
    },
    onMessage: ({ data }) => { simulation.heard(data.by) },
  })

  const { messages, value: shop, error, isLoading } = feed

  const simulation = useSimulation({
    publish: (message) => feed.publish(message),
    isReady: () => shop.value !== undefined && channel.state === 'subscribed',
    summary: () => (shop.value ?? new Shop()).summary(),
  })

  function show(): void {
    if (shop.value !== undefined) view.value = viewOf(shop.value)
  }
  watch([messages, shop], show)
  // Seconds without an event count as well.
  const timer = setInterval(() => {
    const silence = Date.now() - last.here
    if (silence < 1000) return
    shop.value?.advance(last.there + silence)
    show()
  }, 1000)
  onScopeDispose(() => { clearInterval(timer) })

  return { view: shallowReadonly(view), error, isLoading, reload: () => { feed.reload() }, simulation }
}

function viewOf(shop: Shop): View {
  const products = [...shop.products].map(([name, counts]) => ({ name, ...counts }))
  const sum = (column: keyof Counts): number => products.reduce((sum, counts) => sum + counts[column], 0)
  const totals = { views: sum('views'), carts: sum('carts'), orders: sum('orders'), revenue: sum('revenue') }
  return { shop, products, totals: { ...totals, events: totals.views + totals.carts + totals.orders } }
}
