import { connect, createClient, type ChannelTypes, type Client, type Options } from '@antiphon/client'
import { hasInjectionContext, inject, type App, type InjectionKey } from 'vue'
import type { Channels } from './channels.ts'

/** What each composable may be told. */
export interface ClientOption {
  /** Where there is no application to have it from, or another one is wanted. */
  readonly client?: Client
}

/** The client of an application, as a plugin for it. */
export interface Antiphon {
  readonly client: Client<Channels>
  install(app: App): void
}

const KEY: InjectionKey<Client> = Symbol('antiphon')

/** Clients of a server that renders: they stay as they are. */
const idle = new WeakSet<object>()

/**
 * Connects, for `app.use()`. Where there is no page, as on a server that renders, it does not; in Node, give it a client that you have connected.
 *
 * @param source a URL, as for `connect()`, or what gives a client, such as `() => share('/')`: its client ends with the application. Or a client, which does not.
 * @throws TypeError when the URL is none.
 */
export function createAntiphon(source: string | Client<Channels> | (() => Client<Channels>), options?: Options): Antiphon {
  const isOurs = typeof source === 'string' || typeof source === 'function'
  const client = isOurs ? made(source, options) : source
  return {
    client,
    install(app) {
      app.provide(KEY, client as Client)
      if (isOurs) app.onUnmount(() => { client.disconnect() })
    },
  }
}

function made(source: string | (() => Client<Channels>), options: Options | undefined): Client<Channels> {
  if (typeof document !== 'undefined') return typeof source === 'string' ? connect<Channels>(source, options) : source()
  // It never connects, so that the host of a path does not matter.
  const client = createClient<Channels>(new URL(typeof source === 'string' ? source : '/', 'http://localhost').href, options)
  idle.add(client)
  return client
}

/** The client of the application. */
export function useClient<Known extends ChannelTypes = Channels>(options: ClientOption = {}): Client<Known> {
  const client = options.client ?? (hasInjectionContext() ? inject(KEY, undefined) : undefined)
  if (client === undefined) throw new Error('There is no client here: call app.use(createAntiphon(url)) first, or give the option `client`')
  return client as unknown as Client<Known>
}

/** Whether the client only stands for one, on a server that renders. */
export function isIdle(client: object): boolean {
  return idle.has(client)
}
