import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { effectScope, nextTick, ref, type EffectScope } from 'vue'
import { ApiError } from '../src/api'
import { cursorOf, range } from '../src/cursors'
import { leave } from '../src/leave'
import { usePages, type Pages } from '../src/usePages'

vi.mock('../src/leave', () => ({ leave: vi.fn() }))

const LIMIT = 10

interface Page {
  items: number[]
  total: number
  next: string | null
}

let scope: EffectScope
let asked: string[]
/** What the server has; a search finds its multiples. */
let amount: number
let failure: ApiError | undefined
const search = ref(1)
const isLive = ref(true)

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  vi.stubGlobal('document', { hidden: false, addEventListener: vi.fn(), removeEventListener: vi.fn() })
  scope = effectScope()
  asked = []
  amount = 95
  failure = undefined
  search.value = 1
  isLive.value = true
})
afterEach(() => {
  scope.stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
  vi.mocked(leave).mockClear()
})

async function answer(by: number, after = '0'): Promise<Page> {
  asked.push(`${by}/${after}`)
  await new Promise((resolve) => setTimeout(resolve, 100))
  if (failure) throw failure
  const all = Array.from({ length: amount }, (_, index) => index).filter((item) => item % by === 0)
  const end = Number(after) + LIMIT
  return { items: all.slice(Number(after), end), total: all.length, next: end < all.length ? String(end) : null }
}

function list(key?: string): Pages<Page> {
  const pages = scope.run(() =>
    usePages<number, Page>({
      ...(key !== undefined && { key }),
      limit: LIMIT,
      question: () => search.value,
      ask: (by, at) => answer(by, cursorOf(at)),
      next: (page) => page.next,
      interval: () => (isLive.value ? 2000 : undefined),
    }),
  )
  if (!pages) throw new Error('the scope has ended')
  return pages
}

const pass = async (ms: number): Promise<void> => {
  await nextTick()
  await vi.advanceTimersByTimeAsync(ms)
}
const shown = ({ page, cursors }: Pages<Page>): string | undefined => page.value && range(cursors.value, page.value.items.length, page.value.total)

test('goes through the list a page at a time, and back', async () => {
  const pages = list()
  await pass(100)
  expect(shown(pages)).toBe('1–10 of 95')
  expect(pages.hasPrevious.value).toBe(false)
  pages.next()
  expect(pages.isStale.value).toBe(true)
  expect(shown(pages), 'the page stays until the next is there').toBe('1–10 of 95')
  pages.next()
  await pass(100)
  expect(shown(pages), 'a step is one page, however often it is asked for').toBe('11–20 of 95')
  pages.previous()
  await pass(100)
  expect(shown(pages)).toBe('1–10 of 95')
  expect(asked).toEqual(['1/0', '1/10', '1/0'])
})

test('the last page has none behind it', async () => {
  amount = 15
  const pages = list()
  await pass(100)
  pages.next()
  await pass(100)
  expect(shown(pages)).toBe('11–15 of 15')
  expect(pages.hasNext.value).toBe(false)
})

test('the page shown is asked for anew while it is live, and no more when it is not', async () => {
  const pages = list()
  await pass(100)
  pages.next()
  await pass(2200)
  expect(asked).toEqual(['1/0', '1/10', '1/10'])
  isLive.value = false
  await pass(60_000)
  expect(asked, 'once more as that changes').toHaveLength(4)
  amount = 200
  pages.refresh()
  await pass(100)
  expect(shown(pages)).toBe('11–20 of 200')
})

test('another question begins at the first page', async () => {
  const pages = list()
  await pass(100)
  pages.next()
  await pass(100)
  search.value = 3
  await pass(50)
  expect(shown(pages)).toBe('11–20 of 95')
  await pass(50)
  expect(shown(pages)).toBe('1–10 of 32')
  expect(asked).toEqual(['1/0', '1/10', '3/0'])
})

test('the way is remembered for the same question, and only for that', async () => {
  const first = list('remembered')
  await pass(100)
  first.next()
  await pass(100)
  scope.stop()
  scope = effectScope()
  const second = list('remembered')
  await pass(100)
  expect(shown(second)).toBe('11–20 of 95')
  scope.stop()
  scope = effectScope()
  search.value = 5
  const third = list('remembered')
  await pass(100)
  expect(shown(third)).toBe('1–10 of 19')
})

test('what the server will not answer is not asked for again', async () => {
  failure = new ApiError('not_found', 'It is gone.', 404)
  const pages = list()
  await pass(60_000)
  expect(pages.error.value?.message).toBe('It is gone.')
  expect(asked).toHaveLength(1)
})

test('what it cannot answer now is, and the page stays', async () => {
  const pages = list()
  await pass(100)
  failure = new ApiError('away', 'The server cannot be reached.')
  await pass(2100)
  expect(pages.error.value?.code).toBe('away')
  expect(shown(pages)).toBe('1–10 of 95')
  failure = undefined
  await pass(5000)
  expect(pages.error.value).toBeUndefined()
})

test('who is not let in any more is led to the login page', async () => {
  failure = new ApiError('unauthorized', 'The session has ended.', 401)
  list()
  await pass(60_000)
  expect(leave).toHaveBeenCalledOnce()
})
