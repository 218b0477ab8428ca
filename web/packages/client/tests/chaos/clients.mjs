// What the clients of the chaos run do, in Node and in a page alike.
import { connect, TRANSPORTS } from '../../dist/index.js'

/**
 * Starts a client that changes its transport all the time, and publishes meanwhile.
 *
 * @param plan `{ url, id, publishes, every, seconds, isCut }`: how many publishes, the time from one change of the transport to the next in
 *   milliseconds, and whether the transport in use is also cut now and then.
 */
export function startClient({ url, id, publishes, every, seconds, isCut }) {
  const client = connect(url, { backoff: { base: 50, max: 1000 }, upgradeAfter: every * 2 })
  const report = { id, seen: [], gaps: 0, sessions: 0, connections: {}, states: [], fates: {}, errors: [] }
  const began = Date.now()
  client.on('state', (state) => {
    report.states.push(`${Date.now() - began} ${state.name} ${state.transport ?? state.reason}${state.isResumed === false ? ' anew' : ''}${state.retryAt === undefined ? '' : ', waits'}`)
    if (state.name === 'connected' && !state.isResumed) report.sessions += 1
  })
  client.on('transport', (name) => (report.connections[name] = (report.connections[name] ?? 0) + 1))
  client.on('error', (error) => report.errors.push(error.message))
  const news = client.channel('news:all')
  news.on('message', ({ data }) => report.seen.push(data))
  news.on('gap', () => (report.gaps += 1))
  const ready = news.subscribe()

  let step = id
  const change = () => {
    const next = TRANSPORTS[++step % TRANSPORTS.length]
    client.allow(next)
    for (const name of TRANSPORTS) if (name !== next) client.forbid(name)
    if (isCut && Math.random() < 0.3) setTimeout(() => client.cut(), Math.random() * every)
  }
  const changes = setInterval(change, every)

  let published = 0
  const publish = () => {
    const value = ++published
    const settle = (fate) => (report.fates[fate] = (report.fates[fate] ?? 0) + 1)
    client.publish(`mine:${id}`, value).then(
      () => settle('done'),
      (error) => {
        settle(error.fate)
        report.errors.push(error.message)
      },
    )
    if (published === publishes) clearInterval(publishing)
  }
  let publishing
  return {
    ready,
    report,
    begin() {
      publishing = setInterval(publish, (seconds * 900) / publishes)
    },
    /** No change any more; what is under way comes to its end. */
    calm() {
      clearInterval(changes)
      for (const name of TRANSPORTS) client.allow(name)
    },
    end() {
      client.disconnect()
    },
  }
}

/** Clients that a page or a process has. */
export function startClients(plans) {
  const clients = plans.map(startClient)
  const each = (act) => clients.map(act)
  return {
    ready: () => Promise.all(each(({ ready }) => ready)).then(() => undefined),
    begin: () => void each((client) => client.begin()),
    calm: () => void each((client) => client.calm()),
    end: () => void each((client) => client.end()),
    /** How far the slowest is: messages that it has seen, and publishes that are settled. */
    progress: () => ({
      seen: Math.min(...each(({ report }) => report.seen.length)),
      settled: Math.min(...each(({ report }) => Object.values(report.fates).reduce((sum, count) => sum + count, 0))),
    }),
    reports: () => each(({ report }) => report),
  }
}
