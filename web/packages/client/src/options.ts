import type { Backoff } from './backoff.ts'
import { TRANSPORTS, type TransportName } from './route.ts'
import type { TokenSource } from './token.ts'
import type { Endpoints } from './transport/transport.ts'

export interface Options {
  /** Who we are: a JSON web token, or a function that gives one and is asked again when it expires. */
  readonly token?: TokenSource
  /** For the server, with each `connect`. Where no token is asked for, an object is what others see of us. */
  readonly data?: unknown
  /** Name and version of the application, for the server's logs. */
  readonly name?: string
  readonly version?: string
  /** Headers for the server's connect hook, which a WebSocket cannot send by itself. */
  readonly headers?: Readonly<Record<string, string>>
  /** Which transports may be used, best first. */
  readonly transports?: readonly TransportName[]
  /** How long a transport has to answer `connect`, in milliseconds: 5,000. Longer where all have failed. */
  readonly timeout?: number
  /** How long the network may be silent before it is taken for dead, in milliseconds: 9,000. After half of it the server is asked. With `Infinity` only its pings are waited for. */
  readonly silence?: number
  /** The wait between attempts, in milliseconds: up to 500, doubled each time up to 20,000, at random. */
  readonly backoff?: Backoff
  /** After how long a better transport is tried again, in milliseconds: 30,000, doubled each time up to ten minutes. */
  readonly upgradeAfter?: number
  /** What may wait for the server: so many commands, and so many characters of JSON. 1,000 and 1,048,576. */
  readonly buffer?: { readonly commands: number; readonly size: number }
  /** The largest message that the server takes, in bytes: 65,536. */
  readonly messageSize?: number
  /** Whether requests to another origin have cookies. */
  readonly credentials?: RequestCredentials
  /** Where the platform has none, or another one is wanted. */
  readonly fetch?: typeof fetch
  readonly WebSocket?: typeof WebSocket
  /** From 0 to 1, like `Math.random`. */
  readonly random?: () => number
}

export const defaults = {
  transports: TRANSPORTS,
  timeout: 5000,
  silence: 9000,
  backoff: { base: 500, max: 20_000 },
  upgradeAfter: 30_000,
  buffer: { commands: 1000, size: 1_048_576 },
  messageSize: 65_536,
} as const satisfies Options

/**
 * The server's routes under a URL: `https://example.com`, a path of it, or a path of the page's own origin.
 *
 * @throws TypeError when it is no URL of http, https, ws or wss.
 */
export function endpointsOf(url: string): Endpoints {
  const page = typeof document === 'undefined' ? undefined : document.baseURI
  const base = new URL(url, page)
  if (!/^(http|ws)s?:$/.test(base.protocol)) throw new TypeError(`${url} is no URL of http, https, ws or wss`)
  const path = base.pathname.replace(/\/(connection\/\w+)?$/, '')
  const at = (scheme: string, route: string): string => `${base.protocol.replace(/^(http|ws)/, scheme)}//${base.host}${path}${route}`
  return {
    websocket: at('ws', '/connection/websocket'),
    http_stream: at('http', '/connection/http_stream'),
    sse: at('http', '/connection/sse'),
    poll: at('http', '/connection/poll'),
    emulation: at('http', '/emulation'),
  }
}
