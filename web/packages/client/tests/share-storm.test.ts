import { describe, expect, it } from 'vitest'
import type { AntiphonError, Client } from '../src/index.ts'
import { Browser, type Page } from './support/browser.ts'
import { inVirtualTime, pass } from './support/life.ts'
import { Random } from './support/random.ts'

inVirtualTime()

/** How many seeds: more with `SEEDS=5000`. */
const SEEDS = Number(process.env.SEEDS ?? 30)
const FIRST = Number(process.env.FIRST_SEED ?? 1)

interface Tab {
  readonly page: Page
  readonly client: Client
  readonly seen: unknown[]
  readonly gaps: string[]
  /** Where its first subscription began. */
  from: number | undefined
}

/** Tabs that open, close and crash at random, in a network that breaks; everything at random comes from the seed. */
async function play(seed: number, inWorker: boolean): Promise<void> {
  const random = new Random(seed)
  const browser = new Browser(seed)
  const { server } = browser
  const tabs: Tab[] = []
  const fates = new Map<number, string>()
  const lost = new Set<number>()
  const owners = new Map<number, Tab>()
  let pushed = 0
  let published = 0
  const open = (): void => {
    const since = random.chance(0.3) && pushed > 0 ? { offset: random.between(Math.max(0, pushed - 300), pushed), epoch: 'epoch-news' } : undefined
    const tab: Tab = { ...browser.open({ timeout: 2000, backoff: { base: 100, max: 2000 } }, inWorker), seen: [], gaps: [], from: since?.offset }
    const news = tab.client.channel('news', since === undefined ? {} : { since })
    news.on('message', ({ data }) => tab.seen.push(data))
    news.on('gap', () => tab.gaps.push('gap'))
    news.on('subscribed', ({ position }) => { tab.from ??= position?.offset })
    news.subscribe().catch(() => undefined)
    tabs.push(tab)
  }
  const crash = (tab: Tab): void => {
    browser.crash(tab.page)
    for (const [value, owner] of owners) if (owner === tab) lost.add(value)
    // What it goes on with is seen by nobody.
    tab.client.disconnect()
    tabs.splice(tabs.indexOf(tab), 1)
  }
  const networks = (): Page[] => [...tabs.map(({ page }) => page), ...(browser.worker === undefined ? [] : [browser.worker])]
  open()
  for (let step = random.between(30, 120); step > 0; step -= 1) {
    for (let burst = random.between(0, 5); burst > 0; burst -= 1) server.publish('news', ++pushed)
    const tab = tabs.length > 0 ? random.pick(tabs) : undefined
    const dice = random.between(0, 99)
    if (dice < 15 || tab === undefined) {
      if (tabs.length < 12) open()
    } else if (dice < 22) {
      tab.client.disconnect()
      tabs.splice(tabs.indexOf(tab), 1)
    } else if (dice < 29) crash(tab)
    else if (dice < 33) tab.client.cut()
    else if (dice < 37) for (const page of networks()) page.network.breakAll()
    else if (dice < 39) server.restart()
    else if (dice < 41 && inWorker) browser.crashWorker()
    else if (dice < 45) tab.client.forbid(random.pick(['websocket', 'http_stream']))
    else if (dice < 50) for (const name of ['websocket', 'http_stream'] as const) tab.client.allow(name)
    else if (dice < 80) {
      for (let burst = random.between(0, 4); burst > 0; burst -= 1) {
        const value = ++published
        owners.set(value, tab)
        tab.client.publish('mine', value).then(
          () => fates.set(value, 'done'),
          (error: unknown) => fates.set(value, (error as AntiphonError).fate),
        )
      }
    } else if (dice < 83) tab.page.sleep()
    else if (dice < 88) for (const { page } of tabs) page.wake()
    await pass(random.pick([0, 1, 2, 5, 20, 100, 1000]))
  }
  if (tabs.length === 0) open()
  for (const { page } of tabs) page.wake()
  await pass(1000)
  for (const name of ['websocket', 'http_stream'] as const) tabs[0]?.client.allow(name)
  await pass(45_000)

  for (const { client, seen, gaps, from } of tabs) {
    expect(client.state.name).toBe('connected')
    expect(gaps).toEqual([])
    expect(from).toBeDefined()
    expect(seen, `from ${from}`).toEqual(Array.from({ length: pushed - (from ?? 0) }, (_, at) => (from ?? 0) + 1 + at))
  }
  // What crashed with nobody left to end its session is over as well.
  await pass(server.knobs.ttl)
  expect(server.sessions.size, 'one session').toBe(1)
  const applied = server.published('mine') as number[]
  expect(new Set(applied).size, 'each once').toBe(applied.length)
  for (const tab of new Set(owners.values())) {
    const own = applied.filter((value) => owners.get(value) === tab)
    expect(own, 'in the order of each tab').toEqual([...own].sort((a, b) => a - b))
  }
  for (const value of owners.keys()) {
    const fate = fates.get(value)
    if (fate === 'done') expect(applied, `${value} is done`).toContain(value)
    else if (fate === 'unsent') expect(applied, `${value} is unsent`).not.toContain(value)
    else if (!lost.has(value)) expect(fate).toBe('unknown')
  }
  for (const { client } of tabs) client.disconnect()
  await pass(1000)
  expect(server.sessions.size, 'no session').toBe(0)
}

describe('tabs that come and go', () => {
  const seeds = Array.from({ length: SEEDS }, (_, at) => FIRST + at)
  it.each(seeds)('in a worker, each gets each message once (seed %i)', (seed) => play(seed, true))
  it.each(seeds)('in the leader, each gets each message once (seed %i)', (seed) => play(seed, false))
})
