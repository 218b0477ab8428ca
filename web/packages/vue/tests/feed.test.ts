import { effectScope, ref } from 'vue'
import { describe, expect, it } from 'vitest'
import { begin, inVirtualTime, pass, type Life } from '../../client/tests/support/life.ts'
import { Random } from '../../client/tests/support/random.ts'
import { useChannel, type Loaded, type UseChannelOptions } from '../src/index.ts'
import { inScope } from './support/mount.ts'

inVirtualTime()

const EPOCH = 'epoch-news'
const later = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds) })

/** An application's own state: the sum of what was published, which it gives after a while. */
function sumOf({ server }: Pick<Life, 'server'>, delay: () => number) {
  return async (): Promise<Loaded<number, number>> => {
    await later(delay())
    const published = server.published('news') as number[]
    const loaded = { state: published.reduce((sum, number) => sum + number, 0), position: { offset: published.length, epoch: server.streams.get('news')?.epoch ?? EPOCH } }
    await later(delay())
    return loaded
  }
}

function use(life: Life, options: UseChannelOptions<number, number>) {
  const said: string[] = []
  const used = inScope(() =>
    useChannel<number, string, number>('news', {
      client: life.client,
      reduce: (sum, { data }) => sum + data,
      onMessage: ({ data }) => said.push(String(data)),
      onGap: () => said.push('gap'),
      ...options,
    }),
  )
  return { ...used, said, data: () => used.messages.value.map(({ data }) => data) }
}

describe.each(['history', 'load'] as const)('from the first page on, by %s', (kind) => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('nothing is missing and nothing comes twice, whatever happens meanwhile (%i)', async (seed) => {
    const random = new Random(seed)
    const life = begin()
    const { server, client } = life
    let number = 0
    const publish = (): void => { server.publish('news', (number += 1)) }
    for (let count = random.between(0, 5); count > 0; count -= 1) publish()
    if (random.chance(0.3)) void client.channel('news').subscribe()
    await pass(random.between(0, 20))
    const used = use(life, kind === 'history' ? { history: 1000, keep: 1000 } : { load: sumOf(life, () => random.between(0, 30)) })
    for (let step = 0; step < 40; step += 1) {
      await pass(random.between(0, 8))
      const event = random.between(0, 20)
      if (event === 0) server.restart()
      else if (event === 1) used.reload()
      else if (event === 2) {
        // Only the newest are kept.
        const stream = server.streams.get('news')
        if (stream !== undefined) stream.first = stream.publications.length + 1
      } else publish()
    }
    await pass(10_000)
    publish()
    await pass(100)
    const published = server.published('news') as number[]
    expect([used.error.value, used.isLoading.value, used.state.value]).toEqual([undefined, false, 'subscribed'])
    if (kind === 'load') expect(used.value.value).toBe(published.reduce((sum, one) => sum + one, 0))
    else {
      const seen = used.data()
      expect(seen).toEqual(published.slice(-seen.length))
      expect(seen.length).toBeGreaterThan(0)
    }
    // What is told one by one is never told twice.
    const told = used.said.filter((word) => word !== 'gap').map(Number)
    expect(told).toEqual([...new Set(told)].sort((a, b) => a - b))
    used.stop()
  })
})

describe('load', () => {
  it('goes on from its position, with what was published since', async () => {
    const life = begin()
    for (const number of [1, 2, 3]) life.server.publish('news', number)
    const used = use(life, { load: () => Promise.resolve({ state: 1, messages: [{ channel: 'news', data: 1, offset: 1 }], position: { offset: 1, epoch: EPOCH } }) })
    expect(used.isLoading.value).toBe(true)
    await pass(50)
    life.server.publish('news', 4)
    await pass(50)
    expect([used.data(), used.value.value, used.said, used.isLoading.value]).toEqual([[1, 2, 3, 4], 10, ['2', '3', '4'], false])
  })

  it('that is ahead of the subscription is not told twice', async () => {
    const life = begin({}, ({ network }) => { network.faults.latency = () => 100 })
    const used = use(life, { load: sumOf(life, () => 0) })
    await pass(1000)
    life.server.publish('news', 5)
    used.reload()
    await pass(50)
    expect([used.value.value, used.said]).toEqual([5, []])
    await pass(500)
    life.server.publish('news', 6)
    await pass(200)
    expect([used.value.value, used.said]).toEqual([11, ['6']])
  })

  it('that is too old is asked for again, and after six times the problem is told', async () => {
    const life = begin()
    for (const number of [1, 2, 3]) life.server.publish('news', number)
    const stream = life.server.streams.get('news')
    if (stream !== undefined) stream.first = 3
    let asked = 0
    let offset = 1
    const used = use(life, {
      load: () => {
        asked += 1
        return Promise.resolve({ state: 100, position: { offset, epoch: EPOCH } })
      },
    })
    await pass(600)
    expect([asked, used.isLoading.value, used.error.value]).toEqual([2, true, undefined])
    await pass(10_000)
    expect([asked, used.isLoading.value, used.value.value]).toEqual([6, false, undefined])
    expect(used.error.value?.message).toMatch(/news is of offset 1, .* load something newer, or keep more history/)
    offset = 2
    used.reload()
    await pass(50)
    expect([used.value.value, used.error.value, used.said]).toEqual([103, undefined, ['3']])
  })

  it('that fails is told, keeps what comes, and can be tried again', async () => {
    const life = begin()
    let isThere = false
    const used = use(life, { load: () => (isThere ? Promise.resolve({ state: 0, position: { offset: 0, epoch: EPOCH } }) : Promise.reject(new Error('503'))) })
    await pass(50)
    life.server.publish('news', 1)
    await pass(50)
    expect([used.error.value?.message, used.isLoading.value, used.said]).toEqual(['503', false, []])
    isThere = true
    used.reload()
    expect(used.isLoading.value).toBe(true)
    await pass(50)
    expect([used.error.value, used.isLoading.value, used.said, used.value.value]).toEqual([undefined, false, ['1'], 1])
  })

  it('is tried again with the next session', async () => {
    const life = begin()
    const answers = [Promise.reject(new Error('503')), Promise.resolve({ state: 7, position: { offset: 0, epoch: EPOCH } })]
    answers[0]?.catch(() => undefined)
    const used = use(life, { load: () => answers.shift() ?? Promise.reject(new Error('asked too often')) })
    await pass(50)
    life.server.restart()
    await pass(5000)
    expect([used.value.value, used.error.value]).toEqual([7, undefined])
  })

  it('is of no use once the component is gone, or the name is another', async () => {
    const life = begin()
    const name = ref('news')
    const answers: ((loaded: Loaded<unknown, string>) => void)[] = []
    const load = (): Promise<Loaded<unknown, string>> => new Promise((resolve) => { answers.push(resolve) })
    const used = inScope(() => useChannel(name, { client: life.client, load }))
    await pass(50)
    name.value = 'weather'
    await pass(50)
    answers[0]?.({ state: 'of news', position: { offset: 0, epoch: EPOCH } })
    await pass(50)
    expect([used.value.value, used.isLoading.value]).toEqual([undefined, true])
    answers[1]?.({ state: 'of weather', position: { offset: 0, epoch: 'epoch-weather' } })
    await pass(50)
    expect([used.value.value, used.isLoading.value]).toEqual(['of weather', false])
    used.reload()
    used.stop()
    answers[2]?.({ state: 'too late', position: { offset: 0, epoch: 'epoch-weather' } })
    await pass(50)
    expect([used.value.value, answers.length]).toEqual(['of weather', 3])
  })
})

describe('a gap', () => {
  it.each([
    ['and what was there is loaded again', 0],
    ['while it loads as well', 60_000],
  ])('is told, %s', async (_name, slowness) => {
    const life = begin()
    let delay = 0
    const used = use(life, { load: sumOf(life, () => delay) })
    life.server.publish('news', 1)
    await pass(50)
    expect(used.value.value).toBe(1)
    delay = slowness
    if (slowness > 0) used.reload()
    await pass(50)
    delay = 0
    life.server.restart()
    life.server.streams.set('news', { epoch: 'another', publications: [] })
    life.server.publish('news', 20)
    await pass(5000)
    life.server.publish('news', 30)
    await pass(70_000)
    expect([used.value.value, used.said, used.isLoading.value]).toEqual([50, ['gap', '30'], false])
  })

  it('in a list of the history leaves no hole', async () => {
    const life = begin()
    const used = use(life, { history: 3 })
    await pass(50)
    for (const number of [1, 2]) life.server.publish('news', number)
    await pass(50)
    life.server.restart()
    for (const number of [3, 4, 5, 6, 7]) life.server.publish('news', number)
    const stream = life.server.streams.get('news')
    if (stream !== undefined) stream.first = 6
    await pass(5000)
    expect([used.data(), used.said]).toEqual([[6, 7], ['1', '2', 'gap']])
  })

  it('without anything to load is told, and the messages stay', async () => {
    const life = begin({}, ({ server }) => { server.knobs.hasHistory = false })
    const used = use(life, {})
    await pass(50)
    life.server.publish('news', 1)
    await pass(50)
    life.server.restart()
    await pass(5000)
    life.server.publish('news', 2)
    await pass(50)
    expect([used.data(), used.said]).toEqual([[1, 2], ['1', 'gap', '2']])
  })
})

it('a channel without history says so where something was to be loaded, and its messages come', async () => {
  const life = begin({}, ({ server }) => {
    server.knobs.hasHistory = false
    server.knobs.answer = ({ history }) => (history === undefined ? undefined : { error: { code: 108, message: 'not available' } })
  })
  const [byHistory, byLoad] = [use(life, { history: 5 }), use(life, { load: sumOf(life, () => 0) })]
  await pass(50)
  life.server.publish('news', 1)
  await pass(50)
  expect([byHistory.data(), byHistory.error.value]).toMatchObject([[1], { code: 108 }])
  expect([byLoad.value.value, byLoad.error.value?.message]).toEqual([1, 'news keeps no history: what was published while it was loaded may be missing'])
})

it('more than can wait is fetched again', async () => {
  const life = begin()
  const used = use(life, { load: async () => {
    await later(10_000)
    return { state: 0, position: { offset: 0, epoch: EPOCH } }
  } })
  await pass(50)
  life.server.restart()
  for (let number = 0; number < 12_000; number += 1) life.server.publish('news', 1)
  await pass(20_000)
  expect([used.value.value, used.said.length, used.messages.value.length]).toEqual([12_000, 12_000, 500])
})

it('a scope may end twice', () => {
  const { client } = begin()
  const scope = effectScope()
  scope.run(() => useChannel('news', { client }))
  scope.stop()
  scope.stop()
  expect(scope.active).toBe(false)
})
