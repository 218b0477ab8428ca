import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parseReplies, type Reply } from '../src/protocol.ts'
import { begin, inVirtualTime, pass } from './support/life.ts'

inVirtualTime()

interface Case {
  readonly name: string
  readonly json?: string | null
}

interface File {
  readonly commands: readonly Case[]
  readonly replies: readonly Case[]
}

// The messages that the Rust tests write and read as well.
const file = JSON.parse(readFileSync(new URL('../../../../spec/cases/protocol.json', import.meta.url), 'utf8')) as File
const DATA = { text: 'hëllo "you"', n: [1, -2.5, null, true, {}] }
const ANN = { user: '42', client: 'c-1', connInfo: { name: 'Ann' }, chanInfo: [1] }

const golden = (kind: keyof File, name: string): string => {
  const json = file[kind].find((found) => found.name === name)?.json
  if (typeof json !== 'string') throw new Error(`no case ${name}`)
  return json
}

it.each(file.replies.flatMap(({ name, json }) => (typeof json === 'string' ? [[name, json]] : [])))('reply "%s" is read as it is', (_name, json) => {
  // Not by its text: numbers above 2^53 are rounded.
  expect(parseReplies(json)).toEqual(json.split('\n').map((line) => JSON.parse(line) as unknown))
})

it.each(['', '\n \n'])('%j has no reply', (message) => {
  expect(parseReplies(message)).toEqual([])
})

it.each(['{', '[]', '1', 'null', '{}{}', '"text"', '<html>'])('%s is no message', (message) => {
  expect(() => parseReplies(message)).toThrow()
})

type Said = (life: ReturnType<typeof begin>) => unknown

it.each<[string, Said]>([
  ['unsubscribe', ({ client }) => { client.channel('news').unsubscribe() }],
  ['publish, a string', ({ client }) => client.publish('a', 'text\n\u2028')],
  ['publish, a number', ({ client }) => client.channel('a').publish(0)],
  ['publish', ({ client }) => client.publish('$private:имя#42', DATA)],
  ['presence', ({ client }) => client.channel('news').presence()],
  ['presence_stats', ({ client }) => client.channel('news').presenceStats()],
  ['history, the position', ({ client }) => client.channel('news').history()],
  ['history, full', ({ client }) => client.channel('news').history({ limit: -1, since: { offset: 10, epoch: 'xyz' }, reverse: true })],
  ['send', ({ client }) => client.send(DATA)],
])('command "%s" is written as it is', async (name, say) => {
  const life = begin()
  void life.client.channel('news').subscribe()
  await pass(50)
  life.server.done.length = 0
  Promise.resolve(say(life)).catch(() => undefined)
  await pass(50)
  const { n, ...command } = life.server.done[0] ?? {}
  const expected = JSON.parse(golden('commands', name)) as { id?: number }
  expect(n).toBe(2)
  expect(command).toEqual({ ...expected, ...('id' in expected && { id: command.id }) })
})

it.each<[string, string, unknown]>([
  ['push pub', 'message', { channel: 'news', data: DATA, info: ANN, offset: 7, tags: { a: 'b', env: 'prod' }, time: 1_700_000_000_123 }],
  ['push pub, short', 'message', { channel: 'news', data: { a: 1 } }],
  ['push join', 'join', ANN],
  ['push leave', 'leave', { user: '', client: 'c-1' }],
  ['push unsubscribe', 'state', 'subscribing'],
])('"%s" is told as %s', async (name, event, told) => {
  const { client, server } = begin()
  const news = client.channel('news')
  const heard: unknown[] = []
  void news.subscribe()
  await pass(50)
  news.on(event as 'message', (value: unknown) => heard.push(value))
  const { push } = JSON.parse(golden('replies', name)) as Reply
  for (const session of server.sessions.values()) server.push(session, push ?? {})
  await pass(2)
  expect(heard).toEqual([told])
})

it.each<[string, Said, unknown]>([
  ['presence', ({ client }) => client.channel('news').presence(), [ANN, { user: '', client: 'c-2' }]],
  ['presence, nobody', ({ client }) => client.channel('news').presence(), []],
  ['presence_stats', ({ client }) => client.channel('news').presenceStats(), { clients: 3, users: 2 }],
  ['history, nothing', ({ client }) => client.channel('news').history(), { messages: [], position: { offset: 0, epoch: '' } }],
  ['rpc', ({ client }) => client.rpc('sum', DATA), DATA],
  ['publish', ({ client }) => client.publish('a', 1), undefined],
])('what "%s" says is given', async (name, say, given) => {
  const life = begin()
  await pass(50)
  const reply = JSON.parse(golden('replies', name)) as Reply
  life.server.knobs.answer = ({ id = 0 }) => ({ ...reply, id })
  const answer = say(life)
  await pass(50)
  expect(await answer).toEqual(given)
})

it.each([['error', false], ['error, temporary', true]])('"%s" rejects', async (name, isTemporary) => {
  const life = begin()
  await pass(50)
  const reply = JSON.parse(golden('replies', name)) as Reply
  life.server.knobs.answer = ({ id = 0 }) => ({ ...reply, id })
  const refused = expect(life.client.rpc('sum')).rejects.toMatchObject({ code: reply.error?.code, message: reply.error?.message, isTemporary })
  await pass(50)
  await refused
})
