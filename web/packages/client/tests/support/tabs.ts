/** Tabs that share a connection and note what they hear. */

import type { ChannelOptions, Client } from '../../src/index.ts'
import type { Browser, Page } from './browser.ts'

export interface Tab {
  readonly page: Page
  readonly client: Client
  readonly seen: unknown[]
  readonly events: string[]
}

/** A tab that listens to `news`. */
export function listening({ page, client }: { page: Page; client: Client }, options: ChannelOptions<unknown> = {}): Tab {
  const tab: Tab = { page, client, seen: [], events: [] }
  const news = client.channel('news', options)
  news.on('message', ({ data }) => tab.seen.push(data))
  news.on('gap', () => tab.events.push('gap'))
  news.on('join', ({ client }) => tab.events.push(`join ${client}`))
  news.on('subscribed', ({ isAgain, isRecovered }) => tab.events.push(`subscribed${isAgain ? ' again' : ''}${isRecovered ? ' recovered' : ''}`))
  news.on('unsubscribed', ({ code }) => tab.events.push(`unsubscribed ${code}`))
  client.on('error', ({ message }) => tab.events.push(message))
  news.subscribe().catch(() => undefined)
  return tab
}

export const upTo = (count: number, from = 1): number[] => Array.from({ length: count - from + 1 }, (_, at) => from + at)
/** What was subscribed to at the server. */
export const subscribes = ({ server }: Browser): unknown[] => server.done.flatMap(({ subscribe }) => subscribe ?? [])

export function nth(tabs: readonly Tab[], at: number): Tab {
  const tab = tabs[at]
  if (tab === undefined) throw new RangeError(`there is no tab ${at}`)
  return tab
}
