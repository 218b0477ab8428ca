import type { Channel, ChannelOptions, Client } from '@antiphon/client'

/** How long a channel that nobody uses any more stays subscribed, in milliseconds: the next page may want it again. */
const GRACE = 1000

/** What those who use a channel want of its subscription. */
export type Needs = Pick<ChannelOptions<unknown>, 'joinLeave' | 'token'>

/** One's part in a subscription. */
export interface Lease {
  readonly channel: Channel<unknown>
  /** Subscribes again, where the server has refused or ended it. */
  renew(): void
  release(): void
}

const subscriptions = new WeakMap<Client, Map<string, Subscription>>()

/** Takes part in the subscription of a channel, which lasts as long as anybody does. */
export function lease(client: Client, name: string, needs: Needs): Lease {
  const known = subscriptions.get(client) ?? new Map<string, Subscription>()
  subscriptions.set(client, known)
  const subscription = known.get(name) ?? new Subscription(client, name, () => known.delete(name))
  known.set(name, subscription)
  return subscription.lease(needs)
}

class Subscription {
  readonly #client: Client
  readonly #channel: Channel<unknown>
  readonly #ended: () => void
  /** The application has subscribed to it by itself. */
  readonly #isForeign: boolean
  #users = 0
  #needs: Needs = {}
  #isDue = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(client: Client, name: string, ended: () => void) {
    this.#client = client
    this.#channel = client.channel(name)
    this.#isForeign = this.#channel.state !== 'unsubscribed'
    this.#ended = ended
  }

  lease({ joinLeave, token }: Needs): Lease {
    clearTimeout(this.#timer)
    this.#users += 1
    this.#needs = { ...(token !== undefined && { token }), ...this.#needs, ...(joinLeave === true && { joinLeave }) }
    this.#subscribeSoon()
    let isReleased = false
    return {
      channel: this.#channel,
      renew: () => { this.#subscribeSoon() },
      release: () => {
        if (isReleased) return
        isReleased = true
        this.#users -= 1
        if (this.#users === 0) this.#timer = setTimeout(() => { this.#end() }, GRACE)
      },
    }
  }

  /** All those who begin now have said what they need before it is asked for. */
  #subscribeSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    queueMicrotask(() => {
      this.#isDue = false
      if (this.#users === 0) return
      this.#client.channel(this.#channel.name, this.#needs)
      // Whoever uses it hears by events what comes of it.
      this.#channel.subscribe().catch(() => undefined)
    })
  }

  #end(): void {
    this.#ended()
    if (this.#isForeign) return
    this.#channel.unsubscribe()
    if (this.#needs.joinLeave === true) this.#client.channel(this.#channel.name, { joinLeave: false })
  }
}
