import { describe, expect, it } from 'vitest'
import type { Client } from '../src/index.ts'
import { fateOf, inVirtualTime, pass } from './support/life.ts'
import { Browser, type Page } from './support/browser.ts'

inVirtualTime()

interface Tab {
  readonly page: Page
  readonly client: Client
  readonly seen: unknown[]
  readonly events: string[]
}

function listening({ page, client }: { page: Page; client: Client }, channel = 'news'): Tab {
  const tab: Tab = { page, client, seen: [], events: [] }
  const news = client.channel(channel)
  news.on('message', ({ data }) => tab.seen.push(data))
  news.on('gap', () => tab.events.push('gap'))
  news.on('subscribed', ({ isAgain, isRecovered }) => tab.events.push(`subscribed${isAgain ? ' again' : ''}${isRecovered ? ' recovered' : ''}`))
  client.on('error', ({ message }) => tab.events.push(message))
  void news.subscribe().catch(() => undefined)
  return tab
}

const WAYS = [['in a worker', true], ['in the leader', false]] as const

describe.each(WAYS)('%s', (_name, inWorker) => {
  it('ten tabs have one connection and one subscription, and each gets each message once', async () => {
    const browser = new Browser()
    const tabs = Array.from({ length: 10 }, () => listening(browser.open({}, inWorker)))
    await pass(200)
    expect(browser.server.connects).toHaveLength(1)
    expect(browser.server.done.filter(({ subscribe }) => subscribe !== undefined)).toHaveLength(1)
    for (let at = 1; at <= 20; at += 1) browser.server.publish('news', at)
    await Promise.all([...tabs.map(({ client }, at) => client.publish('mine', at)), pass(200)])
    for (const { seen, client, events } of tabs) {
      expect(seen).toEqual(Array.from({ length: 20 }, (_, at) => at + 1))
      expect(events).toEqual(['subscribed'])
      expect(client.state).toMatchObject({ name: 'connected', transport: 'websocket' })
    }
    expect(browser.server.published('mine')).toHaveLength(10)
    for (const { client } of tabs.slice(1)) client.disconnect()
    await pass(200)
    expect(browser.server.sessions.size).toBe(1)
    tabs[0]?.client.disconnect()
    await pass(100)
    expect(browser.server.sessions.size).toBe(0)
  })
})
