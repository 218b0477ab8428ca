import type { AnyChannels, ChannelTypes, Client } from '../client.ts'
import { connect } from '../client.ts'
import { ClientCore } from '../core.ts'
import { endpointsOf } from '../options.ts'
import { SharedConnection } from './connection.ts'
import { leaderWay, workerWay } from './way.ts'
import { platform, type Platform, type ShareOptions } from './wire.ts'

export type { ShareOptions } from './wire.ts'

/**
 * One connection for all tabs of an origin: a {@link Client} like that of `connect()`, over a connection that all who call this with the same URL and `key` share.
 *
 * It lives in a SharedWorker where `worker` gives one, else in one of the tabs. Where the browser has neither Web Locks nor BroadcastChannel (a page that is not
 * from `https` or `localhost`), each tab has its own.
 *
 * @param url `https://example.com`, or `/` for the origin of the page.
 * @throws TypeError when `url` is none.
 */
export function share<Channels extends ChannelTypes = AnyChannels>(url: string, options: ShareOptions = {}): Client<Channels> {
  return shareOn(platform(), url, options)
}

/** The same, on a platform that is given. */
export function shareOn<Channels extends ChannelTypes = AnyChannels>(platform: Platform, url: string, { worker, key = '', ...options }: ShareOptions): Client<Channels> {
  const { locks, BroadcastChannel, start } = platform
  const base = new URL(url, typeof document === 'undefined' ? undefined : document.baseURI).href
  endpointsOf(base)
  const ways = [
    ...(worker === undefined ? [] : [workerWay(worker)]),
    ...(locks === undefined || BroadcastChannel === undefined ? [] : [leaderWay(platform, locks, BroadcastChannel)]),
  ]
  if (ways.length === 0) return connect(url, { ...options, ...start })
  const client = new ClientCore<Channels>((upper) => new SharedConnection(`antiphon ${base} ${key}`, base, options, platform, ways, upper), options)
  client.connect()
  return client
}
