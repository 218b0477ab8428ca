import { expect, it } from 'vitest'
import { begin, inVirtualTime, pass } from '../../client/tests/support/life.ts'
import { useConnection } from '../src/index.ts'
import { inScope } from './support/mount.ts'

inVirtualTime()

it('shows where the connection stands', async () => {
  const { client, server, network } = begin()
  const { state, transport, isConnected, error } = inScope(() => useConnection({ client }))
  expect([state.value.name, transport.value, isConnected.value]).toEqual(['connecting', undefined, false])
  await pass(50)
  expect([state.value.name, transport.value, isConnected.value]).toEqual(['connected', 'websocket', true])
  client.forbid('websocket')
  await pass(2000)
  expect([transport.value, isConnected.value]).toEqual(['http_stream', true])
  network.faults.isDead = true
  await pass(20_000)
  expect([state.value.name, transport.value]).toEqual(['connecting', undefined])
  network.faults.isDead = false
  network.breakAll()
  await pass(60_000)
  expect([state.value.name, error.value]).toEqual(['connected', undefined])
  server.knobs.answer = ({ rpc }) => (rpc === undefined ? undefined : 'silence')
  client.disconnect()
  expect(state.value).toMatchObject({ name: 'disconnected', code: 0 })
})

it('shows why it fails', async () => {
  const { client } = begin({}, ({ server }) => {
    server.knobs.answer = ({ connect }) => (connect === undefined ? undefined : { error: { code: 100, message: 'internal', temporary: true } })
  })
  const { error, isConnected } = inScope(() => useConnection({ client }))
  await pass(100)
  expect([error.value, isConnected.value]).toMatchObject([{ code: 100 }, false])
})

it('measures the lag from when somebody looks, until nobody is there', async () => {
  const { client, server, network } = begin({ silence: Infinity }, ({ network }) => { network.faults.latency = () => 20 })
  const pings = (): number => server.done.filter(({ ping }) => ping !== undefined).length
  const { lag, stop } = inScope(() => useConnection({ client }))
  await pass(30_000)
  expect(pings()).toBe(0)
  expect(lag.value).toBeUndefined()
  await pass(100)
  expect([lag.value, pings()]).toEqual([40, 1])
  network.faults.latency = () => 50
  await pass(11_000)
  expect([lag.value, pings()]).toEqual([100, 3])
  client.disconnect()
  expect(lag.value).toBeUndefined()
  client.connect()
  await pass(1000)
  expect(lag.value).toBe(100)
  stop()
  const before = pings()
  await pass(30_000)
  expect(pings()).toBe(before)
})
