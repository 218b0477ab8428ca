// The chaos run against the real server: messages are published while every client's transport is killed and changed all the time. Each client
// has to see all of them once and in order, and its own publishes have to be made once and in order.
//
//     npm run chaos -- --in both --clients 50 --seconds 60 --every 1000
//
// ANTIPHON_BIN names the server's binary, CHROMIUM the browser. Exit status 0 when all is well.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

import { startServer, startRelay } from './server.mjs'

const { values } = parseArgs({
  options: {
    in: { type: 'string', default: 'node' },
    clients: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    every: { type: 'string', default: '200' },
    messages: { type: 'string', default: '1000' },
    publishes: { type: 'string', default: '200' },
    /** Do not break connections in the relay, and do not cut: only change the transport. */
    gentle: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
})
const [clients, seconds, every, messages, publishes] = ['clients', 'seconds', 'every', 'messages', 'publishes'].map((name) => Number(values[name]))
/** How long the rest may take after the last change, in milliseconds. */
const REST = 60_000
const IN = { node: ['node'], chromium: ['chromium'], both: ['node', 'chromium'] }[values.in]
if (IN === undefined || [clients, seconds, every, messages, publishes].some((number) => !(number > 0))) {
  console.error('--in is node, chromium or both; the rest are numbers above 0')
  process.exit(2)
}

async function ask(url, method, body) {
  const response = await fetch(`${url}/api/${method}`, { method: 'POST', body: JSON.stringify(body) })
  const answer = await response.json()
  if (answer.result === undefined) throw new Error(`/api/${method} answered ${JSON.stringify(answer)}`)
  return answer.result
}

async function start(place, plans) {
  const { startClients } = await import('./clients.mjs')
  return place === 'node' ? startClients(plans) : (await import('./browser.mjs')).startPage(plans)
}

/** What is wrong with a list that should be 1 to `count`. */
function wrongIn(list, count) {
  const at = list.findIndex((value, index) => value !== index + 1)
  if (at !== -1) return `${list[at]} stands where ${at + 1} should (before it ${list.slice(Math.max(0, at - 3), at).join(', ')})`
  return list.length === count ? undefined : `${list.length} of ${count}`
}

async function play(place) {
  const server = await startServer()
  const relays = await Promise.all(Array.from({ length: clients }, () => startRelay(server.port)))
  const plans = relays.map(({ url }, id) => ({ url, id, publishes, every, seconds, isCut: !values.gentle }))
  const group = await start(place, plans)
  await group.ready()
  await group.begin()
  const breaks = values.gentle
    ? undefined
    : setInterval(() => { for (const relay of relays) if (Math.random() < every / 2000) relay.break() }, every / 2)
  const began = Date.now()
  for (let number = 1; number <= messages; number += 1) {
    await ask(server.url, 'publish', { channel: 'news:all', data: number })
    const due = began + (number * seconds * 1000) / messages
    if (due > Date.now()) await sleep(due - Date.now())
  }
  clearInterval(breaks)
  await group.calm()
  const calmAt = Date.now()
  let progress
  do {
    await sleep(200)
    progress = await group.progress()
  } while ((progress.seen < messages || progress.settled < publishes) && Date.now() - calmAt < REST)
  // What would come twice, comes now.
  await sleep(1000)

  const wrong = []
  const sums = { connections: {}, fates: {}, sessions: 0 }
  for (const report of await group.reports()) {
    const seen = wrongIn(report.seen, messages)
    if (seen !== undefined) wrong.push(`client ${report.id} saw: ${seen}`)
    const { publications } = await ask(server.url, 'history', { channel: `mine:${report.id}`, limit: -1 })
    const made = wrongIn(publications.map(({ data }) => data), publishes)
    if (made !== undefined) wrong.push(`client ${report.id} published: ${made}`)
    if (report.fates.done !== publishes) wrong.push(`client ${report.id} was told: ${JSON.stringify(report.fates)} ${report.errors.slice(0, 3).join('; ')}`)
    if (report.gaps > 0 || report.sessions !== 1) wrong.push(`client ${report.id} had ${report.sessions} sessions and ${report.gaps} gaps: ${report.errors.slice(-3).join('; ')}`)
    sums.sessions += report.sessions
    for (const name of ['connections', 'fates']) for (const [key, count] of Object.entries(report[name])) sums[name][key] = (sums[name][key] ?? 0) + count
    if (values.verbose && wrong.at(-1)?.startsWith(`client ${report.id} `)) console.log(report.states.join('\n'))
    if (values.verbose) console.log(report.id, report.states.at(-1))
  }
  await group.end()
  for (const relay of relays) relay.stop()
  await server.stop()
  for (const line of wrong) console.log(`WRONG  ${line}`)
  console.log(`${place}: ${clients} clients, ${messages} messages, ${publishes} publishes each, ${seconds} s, a change every ${every} ms; settled ${Date.now() - calmAt} ms after the last change`)
  console.log(`${place}: ${JSON.stringify(sums)}`)
  console.log(`${place}: ${wrong.length === 0 ? 'each once, in order' : `${wrong.length} wrong`}`)
  return wrong.length === 0
}

let isWell = true
for (const place of IN) isWell = (await play(place)) && isWell
process.exit(isWell ? 0 : 1)
