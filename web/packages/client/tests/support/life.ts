import { afterEach, beforeEach, vi } from 'vitest'
import { connect, type AntiphonError, type Client, type Options } from '../../src/index.ts'
import { calm, FakeNetwork } from './network.ts'
import { Random } from './random.ts'
import { FakeServer } from './server.ts'

export interface Life {
  readonly server: FakeServer
  readonly network: FakeNetwork
  readonly client: Client
  readonly errors: AntiphonError[]
}

const clients: Client[] = []

/** Time is virtual in every test of the file, and no client outlives its test. */
export function inVirtualTime(): void {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.disconnect()
    await vi.advanceTimersByTimeAsync(1000)
    vi.unstubAllGlobals()
    vi.useRealTimers()
  })
}

export async function pass(milliseconds: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(milliseconds)
}

/** A client and what it talks to. `prepare` comes before it connects. */
export function begin(options: Options = {}, prepare?: (life: Pick<Life, 'server' | 'network'>) => void): Life {
  const server = new FakeServer()
  const network = new FakeNetwork(server, calm())
  prepare?.({ server, network })
  const errors: AntiphonError[] = []
  const client = connect('http://server', { WebSocket: network.WebSocket, fetch: network.fetch, random: new Random(7).next, ...options })
  client.on('error', (error) => errors.push(error))
  clients.push(client)
  return { server, network, client, errors }
}

/** What became of a promise, so far. */
export function fateOf(promise: Promise<unknown>): { current: string } {
  const fate = { current: 'pending' }
  promise.then(
    () => (fate.current = 'done'),
    (error: unknown) => {
      const { fate: name, code } = error as AntiphonError
      fate.current = `${name} ${code}`
    },
  )
  return fate
}
