import { expect, it } from 'vitest'
import { begin, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

const refusal = (code: number, temporary = false): { error: { code: number; message: string; temporary: boolean } } => ({ error: { code, message: 'so', temporary } })

it('asks once, and keeps the token for the next transport', async () => {
  let asked = 0
  const { network, server } = begin({ token: () => Promise.resolve(`token ${++asked}`) })
  await pass(50)
  network.breakAll()
  await pass(2000)
  expect([asked, server.connects.map(({ connect }) => connect?.token)]).toEqual([1, ['token 1', 'token 1']])
})

it('asks again when the token has expired', async () => {
  let asked = 0
  const { client, server } = begin({ token: () => `token ${++asked}` }, ({ server }) => {
    server.knobs.answer = ({ connect }) => (connect?.token === 'token 1' ? refusal(109) : undefined)
  })
  await pass(2000)
  expect([client.state.name, server.connects.map(({ connect }) => connect?.token)]).toEqual(['connected', ['token 1', 'token 2']])
})

it.each([
  ['a fixed token that has expired', 109, false, 'disconnected'],
  ['permission denied', 103, false, 'disconnected'],
  ['a temporary error', 100, true, 'connecting'],
])('%s', async (_name, code, temporary, then) => {
  const { client, errors } = begin({ token: 'fixed' }, ({ server }) => {
    server.knobs.answer = ({ connect }) => (connect === undefined ? undefined : refusal(code, temporary))
  })
  await pass(500)
  expect(client.state.name).toBe(then)
  expect(errors[0]?.code).toBe(code)
})

it('gives up where there is no token, and tries again where the function throws', async () => {
  const none = begin({ token: () => '' })
  let asked = 0
  const flaky = begin({
    token: () => {
      if (++asked < 3) throw new Error('backend away')
      return 'token'
    },
  })
  await pass(10_000)
  expect([none.client.state.name, none.errors[0]?.code]).toEqual(['disconnected', 15])
  expect([flaky.client.state.name, asked, flaky.errors.map(({ message }) => message)]).toEqual(['connected', 3, ['No token: backend away', 'No token: backend away']])
})

it('renews a token before it ends', async () => {
  let asked = 0
  const { client, server } = begin({ token: () => Promise.resolve(`token ${++asked}`) }, ({ server }) => {
    server.knobs.connect = { expires: true, ttl: 100 }
    server.knobs.answer = ({ refresh }) => {
      if (refresh?.token === 'token 2') return refusal(100, true)
      return refresh === undefined ? undefined : { refresh: { expires: true, ttl: 1000 } }
    }
  })
  await pass(99_000)
  expect(server.done.flatMap(({ refresh }) => refresh?.token ?? [])).toEqual(['token 2', 'token 3'])
  await pass(800_000)
  expect(asked).toBe(3)
  await pass(100_000)
  expect([asked, client.state.name]).toEqual([4, 'connected'])
})
