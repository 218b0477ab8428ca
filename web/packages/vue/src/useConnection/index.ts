import type { AntiphonError, Client, ConnectionState, TransportName } from '@antiphon/client'
import { computed, customRef, shallowReadonly, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import { isIdle, useClient, type ClientOption } from '../antiphon.ts'
import type { Channels } from '../channels.ts'
import { whileMounted } from '../life.ts'

/** So often the round trip is measured, in milliseconds. */
const EVERY = 5000

export interface UseConnection {
  readonly client: Client<Channels>
  readonly state: Readonly<ShallowRef<ConnectionState>>
  /** What the session is on; none while there is no connection. */
  readonly transport: ComputedRef<TransportName | undefined>
  readonly isConnected: ComputedRef<boolean>
  /** The last that failed since the connection was there. */
  readonly error: Readonly<ShallowRef<AntiphonError | undefined>>
  /** The round trip to the server, in milliseconds: measured every 5 s once somebody looks at it. None without a connection. */
  readonly lag: Readonly<Ref<number | undefined>>
}

/** What a page that has just begun shows, so that the server's page is the same. */
const BEGINNING: ConnectionState = { name: 'connecting', attempt: 1, reason: '' }

/** The connection, for people to see. */
export function useConnection(options: ClientOption = {}): UseConnection {
  const client = useClient(options)
  const state = shallowRef<ConnectionState>(isIdle(client) ? BEGINNING : client.state)
  const error = shallowRef<AntiphonError>()
  const lag = new Lag(client as Client)
  const transport = computed(() => (state.value.name === 'connected' ? state.value.transport : undefined))

  whileMounted(client, () => {
    state.value = client.state
    const stops = [
      client.on('state', (next) => {
        state.value = next
        if (next.name === 'connected') error.value = undefined
        lag.changed()
      }),
      client.on('transport', () => {
        state.value = client.state
        lag.changed()
      }),
      client.on('error', (problem) => { error.value = problem }),
    ]
    lag.begin()
    return () => {
      for (const stop of stops) stop()
      lag.end()
    }
  })

  return {
    client,
    state: shallowReadonly(state),
    transport,
    isConnected: computed(() => state.value.name === 'connected'),
    error: shallowReadonly(error),
    lag: lag.ref,
  }
}

/** Measures the round trip while it is mounted and somebody has looked at it. */
class Lag {
  readonly ref: Readonly<Ref<number | undefined>>
  readonly #client: Client
  #isMounted = false
  #isWanted = false
  #value: number | undefined
  #trigger: () => void = () => undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  /** The answer to an older question is not for us any more. */
  #turn = 0

  constructor(client: Client) {
    this.#client = client
    this.ref = customRef((track, trigger) => {
      this.#trigger = trigger
      return {
        get: () => {
          track()
          if (!this.#isWanted) {
            this.#isWanted = true
            this.changed()
          }
          return this.#value
        },
        set: () => undefined,
      }
    })
  }

  begin(): void {
    this.#isMounted = true
    this.changed()
  }

  end(): void {
    this.#isMounted = false
    this.changed()
  }

  /** Begins anew: another transport has another round trip. */
  changed(): void {
    const turn = ++this.#turn
    clearTimeout(this.#timer)
    if (!this.#isMounted || !this.#isWanted) return
    if (this.#client.state.name === 'connected') this.#measure(turn)
    else this.#set(undefined)
  }

  #measure(turn: number): void {
    const then = (lag: number | undefined): void => {
      if (turn !== this.#turn) return
      this.#set(lag)
      this.#timer = setTimeout(() => { this.#measure(turn) }, EVERY)
    }
    this.#client.ping().then(then, () => { then(undefined) })
  }

  #set(value: number | undefined): void {
    if (value === this.#value) return
    this.#value = value
    this.#trigger()
  }
}
