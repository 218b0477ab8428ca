import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Poll, type Surroundings } from '../src/poll'

/** A tab that is hidden when the test says so. */
class Tab implements Surroundings {
  private hidden = false
  private readonly watchers = new Set<() => void>()

  isHidden(): boolean {
    return this.hidden
  }

  onVisibility(changed: () => void): () => void {
    this.watchers.add(changed)
    return () => this.watchers.delete(changed)
  }

  show(isShown: boolean): void {
    this.hidden = !isShown
    for (const changed of this.watchers) changed()
  }

  get isWatched(): boolean {
    return this.watchers.size > 0
  }
}

/** A server that answers after `takes` ms; it notes when it was asked, and how many questions were open at once. */
class Server {
  readonly asked: number[] = []
  readonly aborted: number[] = []
  open = 0
  mostOpen = 0
  takes = 100
  answers = true

  ask = async (signal: AbortSignal): Promise<boolean> => {
    this.asked.push(Date.now())
    this.open += 1
    this.mostOpen = Math.max(this.mostOpen, this.open)
    await new Promise<void>((resolve) => {
      setTimeout(resolve, this.takes)
      signal.addEventListener('abort', () => {
        this.aborted.push(Date.now())
        resolve()
      })
    })
    this.open -= 1
    return this.answers
  }
}

let tab: Tab
let server: Server
let interval: number | undefined
let poll: Poll

beforeEach(() => {
  vi.useFakeTimers({ now: 0 })
  tab = new Tab()
  server = new Server()
  interval = 1000
  poll = new Poll(server.ask, { interval: () => interval, slowest: 10_000, surroundings: tab })
})
afterEach(() => {
  poll.stop()
  vi.useRealTimers()
})

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

test('asks at once, and so long after each answer', async () => {
  poll.restart()
  await pass(3500)
  expect(server.asked).toEqual([0, 1100, 2200, 3300])
})

test('never has two questions open, however slow the server is', async () => {
  server.takes = 5000
  poll.restart()
  await pass(20_000)
  expect(server.asked).toEqual([0, 6000, 12_000, 18_000])
  expect(server.mostOpen).toBe(1)
})

test('asks more and more slowly while it fails, and at its pace once it is answered', async () => {
  server.answers = false
  poll.restart()
  await pass(34_600)
  expect(server.asked).toEqual([0, 2100, 6200, 14_300, 24_400, 34_500])
  server.answers = true
  await pass(12_100)
  expect(server.asked.slice(6)).toEqual([44_600, 45_700])
})

test('does not ask while nobody looks, and asks at once when somebody does', async () => {
  poll.restart()
  await pass(500)
  tab.show(false)
  await pass(60_000)
  expect(server.asked).toEqual([0])
  tab.show(true)
  await pass(1200)
  expect(server.asked).toEqual([0, 60_500, 61_600])
})

test('a look away that is shorter than the interval changes nothing', async () => {
  poll.restart()
  await pass(500)
  tab.show(false)
  await pass(100)
  tab.show(true)
  await pass(1000)
  expect(server.asked).toEqual([0, 1100])
})

test('another question aborts the one that is open, and is asked at once', async () => {
  server.takes = 5000
  poll.restart()
  await pass(700)
  poll.restart()
  await pass(100)
  expect(server.asked).toEqual([0, 700])
  expect(server.aborted).toEqual([700])
  expect(server.open).toBe(1)
  await pass(6000)
  expect(server.asked).toEqual([0, 700, 6700])
})

test('what is asked once is asked until it is answered, and then no more', async () => {
  interval = undefined
  server.answers = false
  poll.restart()
  await pass(3000)
  expect(server.asked).toEqual([0, 2100])
  server.answers = true
  await pass(100_000)
  expect(server.asked).toEqual([0, 2100, 6200])
  poll.restart()
  await pass(1)
  expect(server.asked).toHaveLength(4)
})

test('once stopped it asks nothing and watches nothing', async () => {
  server.takes = 5000
  poll.restart()
  await pass(100)
  poll.stop()
  await pass(60_000)
  expect(server.asked).toEqual([0])
  expect(server.aborted).toEqual([100])
  expect(tab.isWatched).toBe(false)
})
