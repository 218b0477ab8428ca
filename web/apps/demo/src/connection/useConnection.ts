import { Centrifuge, type Options } from 'centrifuge'
import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue'
import { retryDelay } from './retry'
import type { Cause, Status } from './status'

export interface ConnectionOptions {
  readonly url: string
  /** The name sent with each connect command; the server returns it as connection info. */
  readonly name: Readonly<Ref<string>>
  /** Where the browser says that the device went offline or online. */
  readonly network?: EventTarget
  /** A WebSocket class for places that have none of their own. */
  readonly websocket?: unknown
  readonly random?: () => number
}

/** Longer than any wait of ours: the client's own timer, which only matters if ours is frozen. */
const FALLBACK_DELAY = 60_000

/**
 * One client and the truth about its connection.
 *
 * The client does not tell how long it will wait before the next attempt. So the wait is ours: the client wakes at
 * an `online` event of its network target, and we send that event when our own timer ends or the person asks.
 */
export function useConnection({ url, name, network, websocket, random = Math.random }: ConnectionOptions) {
  const status = shallowRef<Status>({ kind: 'idle' })
  const wake = new EventTarget()
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  const options: Partial<Options> = {
    name: 'antiphon-demo',
    minReconnectDelay: FALLBACK_DELAY,
    maxReconnectDelay: FALLBACK_DELAY,
    networkEventTarget: wake,
    // The client asks for this at the start of every attempt, which makes it the signal that one has begun.
    getData: () => {
      attemptBegins()
      return Promise.resolve({ name: name.value })
    },
  }
  if (websocket !== undefined) options.websocket = websocket
  const client = new Centrifuge(url, options)

  client.on('connecting', ({ code, reason }) => {
    if (code === 0) status.value = { kind: 'connecting' }
    else scheduleAttempt({ code, reason: isOffline() ? 'this device is offline' : lostBecause(code, reason) })
  })
  client.on('connected', (context) => {
    attempt = 0
    clearTimeout(timer)
    status.value = { kind: 'connected', transport: context.transport, client: context.client }
  })
  client.on('disconnected', ({ code, reason }) => {
    attempt = 0
    clearTimeout(timer)
    status.value = { kind: 'disconnected', cause: { code, reason } }
  })
  client.on('error', ({ type, error }) => {
    // Errors of a live connection belong to the call that failed; here only a failed attempt counts.
    if (client.state !== Centrifuge.State.Connecting) return
    if (type === 'transport') scheduleAttempt({ code: error.code, reason: unreachable() })
    else if (type === 'connect') scheduleAttempt({ code: error.code, reason: error.message })
  })

  function attemptBegins(): void {
    clearTimeout(timer)
    const before = status.value
    if (before.kind === 'waiting') status.value = { kind: 'retrying', cause: before.cause, attempt: before.attempt }
  }

  function scheduleAttempt(cause: Cause): void {
    clearTimeout(timer)
    attempt += 1
    const delay = retryDelay(attempt, random)
    status.value = { kind: 'waiting', cause, attempt, retryAt: Date.now() + delay }
    timer = setTimeout(wakeClient, delay)
  }

  function wakeClient(): void {
    wake.dispatchEvent(new Event('online'))
  }

  function unreachable(): string {
    return isOffline() ? 'this device is offline' : `${new URL(url).host} does not answer`
  }

  const forward = (event: Event): void => void wake.dispatchEvent(new Event(event.type))
  network?.addEventListener('online', forward)
  network?.addEventListener('offline', forward)

  onScopeDispose(() => {
    network?.removeEventListener('online', forward)
    network?.removeEventListener('offline', forward)
    client.disconnect()
  })

  return {
    client,
    status: readonly(status) as Readonly<Ref<Status>>,
    /** Connects, or cuts short the wait for the next attempt. */
    connect: (): void => {
      if (status.value.kind === 'waiting') wakeClient()
      else client.connect()
    },
    /** Drops the connection and opens a new one, which carries the current name. */
    reconnect: (): void => {
      client.disconnect()
      client.connect()
    },
  }
}

export type Connection = ReturnType<typeof useConnection>

function isOffline(): boolean {
  return typeof navigator !== 'undefined' && 'onLine' in navigator && !navigator.onLine
}

function lostBecause(code: number, reason: string): string {
  if (code === 1) return 'the connection was lost'
  if (code === 2) return 'the server went silent'
  return reason
}
