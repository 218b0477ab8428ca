/* global location, SharedWorker, window */
// A page that shares its connection to `?server=` and notes what happens. With `worker` in the address that lives in a SharedWorker; with `own=sse` the page has
// one of its own, over that transport.
import { connect } from '@antiphon/client'
import { share } from '@antiphon/client/share'

const wish = new URLSearchParams(location.search)
const worker = () => new SharedWorker(new URL('./connection.worker.mjs', import.meta.url), { type: 'module' })
const open = (url) => (wish.has('own') ? connect(url, { transports: [wish.get('own')] }) : share(url, wish.has('worker') ? { worker } : {}))

const client = open(wish.get('server'))
Object.assign(window, { client, seen: [], notes: [] })
client.on('state', (state) => window.notes.push([Math.round(performance.now()), state.name, state.transport ?? state.reason].join(' ')))
client.on('error', ({ message }) => window.notes.push(`error ${message}`))
const room = client.channel('shared')
room.on('message', ({ data }) => window.seen.push(data))
room.on('gap', () => window.notes.push('gap'))
await room.subscribe()
document.title = 'Subscribed'
