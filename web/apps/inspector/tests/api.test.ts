import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { api, ApiError, query } from '../src/api'

interface Asked {
  address: string
  method: string
  body: string | undefined
}

let asked: Asked[]
let answer: () => Response | Promise<Response>

beforeEach(() => {
  asked = []
  vi.stubGlobal('fetch', async (address: string, options: RequestInit) => {
    asked.push({ address, method: options.method ?? 'GET', body: options.body as string | undefined })
    const response = await answer()
    Object.defineProperty(response, 'url', { value: `http://server${address}` })
    return response
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
})

const json = (value: unknown, status = 200): Response => new Response(JSON.stringify(value), { status })
const refusalOf = (question: Promise<unknown>): Promise<unknown> =>
  question.then(
    () => expect.fail('it was answered'),
    (cause: unknown) => cause,
  )

test('names are one segment of the path, whatever they hold', async () => {
  answer = () => json({ channel: 'a/b?c#d', options: {} })
  await api.channel('a/b?c#d é')
  expect(asked[0]?.address).toBe('/admin/api/channels/a%2Fb%3Fc%23d%20%C3%A9')
})

test('filters that are empty are left out', async () => {
  answer = () => json({ connections: [], total: 0, next: null })
  await api.connections({ search: '', user: 'ada & bob', transport: 'sse' }, { limit: 50, after: undefined })
  expect(asked[0]?.address).toBe('/admin/api/connections?user=ada+%26+bob&transport=sse&limit=50')
  expect(query({})).toBe('')
  expect(query({ since: 0 })).toBe('?since=0')
})

test('publishing sends any JSON, also null, and tells where it stands', async () => {
  answer = () => json({ offset: 7, epoch: 'e' })
  expect(await api.publish('news', null)).toEqual({ offset: 7, epoch: 'e' })
  expect(asked[0]).toEqual({ address: '/admin/api/channels/news/publish', method: 'POST', body: '{"data":null}' })
})

test('a disconnect without a reason leaves the reason to the server', async () => {
  answer = () => new Response(null, { status: 204 })
  await api.disconnect('c1', '')
  await api.disconnect('c1', 'maintenance')
  expect(asked.map(({ body }) => body)).toEqual(['{}', '{"reason":"maintenance"}'])
})

test.each([
  ['the server says why', () => json({ error: { code: 'bad_request', message: 'limit is 501; at most 500 is allowed.' } }, 400), 'bad_request', 'limit is 501; at most 500 is allowed.'],
  ['the session has ended, in the words of no server', () => new Response('', { status: 401 }), 'unauthorized', 'The session has ended.'],
  ['a proxy says that the server is away', () => new Response('<h1>Bad Gateway</h1>', { status: 502 }), 'away', 'The server is away: a proxy answers with status 502.'],
  ['a refusal without a reason', () => new Response('null', { status: 500 }), 'garbled', 'The server answered with status 500 and no reason.'],
  ['an answer that is no JSON', () => new Response('<html>'), 'garbled', 'The answer of /admin/api/nodes is not JSON. Is something between this page and the server?'],
  ['an answer of another version', () => json({ servers: [] }), 'garbled', 'The answer of /admin/api/nodes has no "nodes". Are page and server of the same version? Load the page again.'],
  ['an answer that is nothing', () => json(null), 'garbled', 'The answer of /admin/api/nodes has no "nodes". Are page and server of the same version? Load the page again.'],
  ['nobody is there', () => Promise.reject(new TypeError('Failed to fetch')), 'away', 'The server cannot be reached.'],
  ['the connection breaks in an answer', broken, 'away', 'The connection to the server broke in the middle of an answer.'],
] as const)('%s', async (_, given, code, message) => {
  answer = given
  const refusal = await refusalOf(api.nodes())
  expect(refusal).toBeInstanceOf(ApiError)
  expect(refusal).toMatchObject({ code, message })
})

test.each([
  [400, true],
  [404, true],
  [408, false],
  [429, false],
  [500, false],
  [0, false],
])('whether status %i says no for good: %s', (status, isFinal) => {
  expect(new ApiError('code', 'message', status).isFinal).toBe(isFinal)
})

test('who aborts gets the reason of the abort, not an error of the server', async () => {
  const controller = new AbortController()
  answer = () => {
    controller.abort()
    throw new DOMException('aborted', 'AbortError')
  }
  await expect(api.nodes(controller.signal)).rejects.toThrow('aborted')
})

function broken(): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('{"nodes":'))
      controller.error(new TypeError('network error'))
    },
  })
  return new Response(body)
}
