import { expect, test } from 'vitest'
import { Alarms, MARGIN } from '../src/rooms/monitoring/alarms'
import { MACHINE, SERVER } from '../src/rooms/monitoring/charts'
import { Fleet, freshness, REPORTS } from '../src/rooms/monitoring/fleet'
import { toReport, type Report } from '../src/rooms/monitoring/report'

const report = (agent: string, cpu: number, used = 25): Report => ({ agent, cpu, memory: { used, total: 100 }, interval_s: 1 })

test('an alarm is raised at its threshold, once, and ends clear of it', () => {
  const alarms = new Alarms({ cpu: 0.8, memory: 1.1 })
  const see = (value: number, at: number): void => { alarms.see('web-1', 'cpu', value, at) }
  see(0.79, 1)
  expect(alarms.list).toEqual([])
  see(0.8, 2)
  see(0.95, 3)
  see(0.78, 4)
  expect(alarms.list).toEqual([{ id: 1, agent: 'web-1', metric: 'cpu', threshold: 0.8, raisedAt: 2, peak: 0.95 }])
  see(0.8 - MARGIN - 0.001, 5)
  expect(alarms.list[0]).toMatchObject({ id: 1, clearedAt: 5 })
  see(0.9, 6)
  expect(alarms.list.map(({ id }) => id)).toEqual([2, 1])
})

test('each agent and each figure has its own alarm', () => {
  const fleet = new Fleet({ cpu: 0.5, memory: 0.5 })
  fleet.add(report('a', 0.6, 60), 1000)
  fleet.add(report('b', 0.6, 10), 1000)
  expect(fleet.alarms.list.map(({ agent, metric }) => `${agent} ${metric}`).sort()).toEqual(['a cpu', 'a memory', 'b cpu'])
})

test('a threshold that is moved holds for what was reported last', () => {
  const thresholds = { cpu: 0.9, memory: 0.9 }
  const fleet = new Fleet(thresholds)
  fleet.add(report('a', 0.6), 1000)
  thresholds.cpu = 0.6
  fleet.review(1500)
  thresholds.cpu = 0.5
  fleet.review(1600)
  expect(fleet.alarms.current('a', 'cpu')).toMatchObject({ threshold: 0.5, raisedAt: 1500 })
  thresholds.cpu = 0.7
  fleet.review(1700)
  expect(fleet.alarms.current('a', 'cpu')).toBeUndefined()
  expect(fleet.alarms.list).toHaveLength(1)
})

test('an alarm list has an end', () => {
  const alarms = new Alarms({ cpu: 0.5, memory: 0.5 })
  for (let at = 0; at < 200; at += 1) alarms.see('a', 'cpu', at % 2, at)
  expect(alarms.list).toHaveLength(50)
  expect(alarms.list[0]?.id).toBe(100)
})

test.each([
  [1, 2900, 'fresh'],
  [1, 3000, 'late'],
  [1, 19_900, 'late'],
  [1, 20_000, 'gone'],
  [10, 20_000, 'fresh'],
  [10, 200_000, 'gone'],
  [1, -500, 'fresh'],
])('an agent that reports every %s s is after %s ms %s', (interval_s, age, expected) => {
  expect(freshness({ report: { ...report('a', 0), interval_s }, seenAt: 1_000_000 }, 1_000_000 + age)).toBe(expected)
})

test('each chart has what reports say for it, and a gap where they say nothing', () => {
  const fleet = new Fleet({ cpu: 1.1, memory: 1.1 })
  fleet.add({ ...report('a', 0.25), load: [1, 2, 3], server: { connections: 4, publications_per_s: 5, deliveries_per_s: 6, lag_p99_ms: null, memory_bytes: 7 } }, 1000)
  fleet.add(report('a', 0.5), 2000)
  const points = fleet.agents.get('a')?.points
  const values = Object.fromEntries([...MACHINE, ...SERVER].map((chart) => [chart.label, points?.get(chart)?.values]))
  expect(values).toMatchObject({
    CPU: [[0.25, 0.5]],
    Memory: [[0.25, 0.25]],
    Network: [[null, null], [null, null]],
    Load: [[1, null], [2, null], [3, null]],
    Connections: [[4, null]],
    Messages: [[5, null], [6, null]],
  })
})

test('a silence is a gap in the lines', () => {
  const fleet = new Fleet({ cpu: 1.1, memory: 1.1 })
  for (const time of [1000, 2000, 3000, 30_000, 31_000]) fleet.add(report('a', 0.5), time)
  const [cpu] = fleet.agents.get('a')?.points.values() ?? []
  expect(cpu?.values).toEqual([[0.5, 0.5, 0.5, null, 0.5, 0.5]])
})

test('reports and agents are kept up to a bound', () => {
  const fleet = new Fleet({ cpu: 1.1, memory: 1.1 })
  for (let second = 1; second <= REPORTS + 10; second += 1) fleet.add(report('a', 0), second * 1000)
  expect([...(fleet.agents.get('a')?.points.values() ?? [])].map(({ length }) => length)).toEqual([...MACHINE, ...SERVER].map(() => REPORTS))
  for (let index = 0; index < 150; index += 1) fleet.add(report(`b${index.toString()}`, 0), 1_000_000 + index)
  expect(fleet.agents.size).toBe(100)
  expect(fleet.agents.has('a')).toBe(false)
  expect(fleet.agents.has('b149')).toBe(true)
})

test('a message of anybody is looked at before it is a report', () => {
  expect(toReport(report('a', 0.5))).toEqual(report('a', 0.5))
  const broken: unknown[] = [null, 7, {}, { agent: '', cpu: 0, memory: { used: 0, total: 0 } }, { agent: 'a', cpu: 'much', memory: { used: 0, total: 0 } }, { agent: 'a', cpu: 0 }, { agent: 'a', cpu: -1, memory: { used: 0, total: 0 } }]
  for (const data of broken) expect(() => toReport(data)).toThrow(/A report is at least/)
})
