import type { Channel, ChannelDetail, Config, Connection, ConnectionDetail, History, Json, Member, Page, Position, ServerNode, Stats, Trace } from './shapes'

/** How long an answer may take. */
const TIMEOUT_MS = 10_000

/** Why a question has no answer: `away` when the server cannot be reached, `garbled` when its answer is no answer of the API, else the server's code. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
  ) {
    super(message)
  }

  /** Whether the same question would have the same answer: it is the question that is wrong, or what it is about is gone. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && this.status !== 408 && this.status !== 429
  }
}

export type ConnectionFilters = Partial<Record<'search' | 'user' | 'client' | 'channel' | 'address' | 'transport', string>>
export type ChannelSort = 'members' | 'rate' | 'name'

/** Which part of a list: at most `limit` entries after the cursor. */
export interface Part {
  limit: number
  after?: string | undefined
}

type Query = Record<string, string | number | null | undefined>

/** The admin API of the server that served this page. A call ends with an `ApiError`, or with the signal's reason when that was aborted. */
export const api = {
  /** Seconds newer than `since`; without it, all that the server keeps. */
  stats: (since: number | undefined, signal?: AbortSignal) => get<Stats>(`stats${query({ since })}`, 'points', signal),

  connections: (filters: ConnectionFilters, part: Part, signal?: AbortSignal) =>
    get<Page & { connections: Connection[] }>(`connections${query({ ...filters, ...part })}`, 'connections', signal),
  connection: (client: string, signal?: AbortSignal) => get<ConnectionDetail>(`connections/${segment(client)}`, 'subscriptions', signal),
  disconnect: (client: string, reason?: string) => post(`connections/${segment(client)}/disconnect`, reason ? { reason } : {}),

  setTrace: (client: string, on: boolean) => post(`connections/${segment(client)}/trace`, { on }),
  /** What was traced from number `after` on. */
  trace: (client: string, after: number, signal?: AbortSignal) => get<Trace>(`connections/${segment(client)}/trace${query({ after })}`, 'entries', signal),

  channels: (search: string, sort: ChannelSort, part: Part, signal?: AbortSignal) =>
    get<Page & { channels: Channel[] }>(`channels${query({ search, sort, ...part })}`, 'channels', signal),
  channel: (name: string, signal?: AbortSignal) => get<ChannelDetail>(`channels/${segment(name)}`, 'options', signal),
  members: (name: string, part: Part, signal?: AbortSignal) => get<Page & { members: Member[] }>(`channels/${segment(name)}/members${query({ ...part })}`, 'members', signal),
  /** The newest messages; with `before`, those that are older than that offset. */
  history: (name: string, limit: number, before: number | undefined, signal?: AbortSignal) =>
    get<History>(`channels/${segment(name)}/history${query({ limit, before })}`, 'messages', signal),
  async publish(name: string, data: Json): Promise<Position> {
    return read<Position>(await ask('POST', `api/channels/${segment(name)}/publish`, { data }), 'offset')
  },

  nodes: (signal?: AbortSignal) => get<{ nodes: ServerNode[] }>('nodes', 'nodes', signal),
  config: (signal?: AbortSignal) => get<Config>('config', 'settings', signal),

  async logout(): Promise<void> {
    await ask('POST', 'logout')
  },
}

const segment = encodeURIComponent

/** `?a=1&b=2` of what is given; what is empty or absent is left out. */
export function query(parameters: Query): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== '')
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}`
}

async function get<T>(path: string, field: keyof T & string, signal?: AbortSignal): Promise<T> {
  return read<T>(await ask('GET', `api/${path}`, undefined, signal), field)
}

async function post(path: string, body: Json): Promise<void> {
  await ask('POST', `api/${path}`, body)
}

async function ask(method: 'GET' | 'POST', path: string, body?: Json, signal?: AbortSignal): Promise<Response> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  let response: Response
  try {
    response = await fetch(`${import.meta.env.BASE_URL}${path}`, {
      method,
      credentials: 'same-origin',
      cache: 'no-store',
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    throw new ApiError('away', timeout.aborted ? `The server did not answer within ${TIMEOUT_MS / 1000} s.` : 'The server cannot be reached.')
  }
  if (!response.ok) throw await refusal(response)
  return response
}

/** The answer as JSON. `field` is one that such an answer always has. */
async function read<T>(response: Response, field: keyof T & string): Promise<T> {
  const { pathname } = new URL(response.url, 'http://server')
  let answer: unknown
  try {
    answer = await response.json()
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw new ApiError('away', 'The connection to the server broke in the middle of an answer.')
    throw new ApiError('garbled', `The answer of ${pathname} is not JSON. Is something between this page and the server?`, response.status)
  }
  if (typeof answer !== 'object' || answer === null || !(field in answer)) {
    throw new ApiError('garbled', `The answer of ${pathname} has no "${field}". Are page and server of the same version? Load the page again.`, response.status)
  }
  return answer as T
}

/** What the server says about its refusal, or what its status alone tells. */
async function refusal(response: Response): Promise<ApiError> {
  const { status } = response
  try {
    const answer = (await response.json()) as { error?: { code?: unknown; message?: unknown } } | null
    const { code, message } = answer?.error ?? {}
    if (typeof code === 'string' && typeof message === 'string') return new ApiError(code, message, status)
  } catch {
    // Said below.
  }
  if (status === 502 || status === 503 || status === 504) return new ApiError('away', `The server is away: a proxy answers with status ${status}.`, status)
  if (status === 401) return new ApiError('unauthorized', 'The session has ended.', status)
  return new ApiError('garbled', `The server answered with status ${status} and no reason.`, status)
}
