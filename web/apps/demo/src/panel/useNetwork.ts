import { TRANSPORTS, type Client, type TransportName } from '@antiphon/client'
import { computed, onScopeDispose, reactive, ref } from 'vue'

/** What a person may do to the network of this page, to watch the session survive. */
export function useNetwork(client: Pick<Client, 'state' | 'cut' | 'forbid' | 'allow' | 'connect' | 'disconnect'>) {
  const forbidden = reactive(new Set<TransportName>())
  const secondsOffline = ref(0)
  let timer: ReturnType<typeof setInterval> | undefined

  function setAllowed(transport: TransportName, isAllowed: boolean): void {
    if (isAllowed) forbidden.delete(transport)
    else forbidden.add(transport)
    if (secondsOffline.value > 0) return
    if (isAllowed) client.allow(transport)
    else client.forbid(transport)
  }

  /** Nothing gets through for so long. */
  function goOffline(seconds: number): void {
    clearInterval(timer)
    secondsOffline.value = seconds
    timer = setInterval(() => {
      secondsOffline.value -= 1
      if (secondsOffline.value <= 0) comeBack()
    }, 1000)
    // The one in use last, or the next would take over for a moment.
    const inUse = client.state.name === 'connected' ? client.state.transport : undefined
    for (const transport of TRANSPORTS) if (transport !== inUse) client.forbid(transport)
    if (inUse !== undefined) client.forbid(inUse)
  }

  function comeBack(): void {
    clearInterval(timer)
    secondsOffline.value = 0
    hurry()
  }

  /** Cuts short the wait for the next attempt: a transport that is allowed again is a reason to try at once. */
  function hurry(): void {
    for (const transport of TRANSPORTS) if (!forbidden.has(transport)) client.allow(transport)
  }

  onScopeDispose(() => {
    clearInterval(timer)
  })

  return {
    cut: (): void => { client.cut() },
    connect: (): void => { client.connect() },
    disconnect: (): void => { client.disconnect() },
    setAllowed,
    isAllowed: (transport: TransportName): boolean => !forbidden.has(transport),
    areAllForbidden: computed(() => TRANSPORTS.every((transport) => forbidden.has(transport))),
    secondsOffline,
    hurry,
    goOffline,
    comeBack,
  }
}

export type Network = ReturnType<typeof useNetwork>
