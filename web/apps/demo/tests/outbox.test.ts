import { AntiphonError } from '@antiphon/client'
import { expect, test } from 'vitest'
import { nextTick, ref } from 'vue'
import { OUTBOX_LIMIT, useOutbox } from '../src/rooms/chat/useOutbox'

/** Answers of a server, one for each publish. */
function outboxOn(...answers: (Error | undefined)[]) {
  const published: unknown[] = []
  const client = {
    async publish(channel: string, data: unknown): Promise<void> {
      published.push([channel, data])
      await Promise.resolve()
      const answer = answers.shift()
      if (answer) throw answer
    },
  }
  return { ...useOutbox(client, ref('Ada')), published }
}

test('a message waits, then the server has it, then it is discarded', async () => {
  const { messages, send, discard, published } = outboxOn()
  send('lobby', 'hello')
  const id = messages.value[0]?.id ?? ''
  expect(messages.value).toMatchObject([{ room: 'lobby', text: 'hello', state: 'waiting' }])
  expect(published).toMatchObject([['chat:lobby', { id, name: 'Ada', text: 'hello' }]])
  await settled()
  expect(messages.value).toMatchObject([{ state: 'sent' }])
  discard(id)
  expect(messages.value).toEqual([])
})

test.each([
  [new AntiphonError(103, 'permission denied'), 'the server refused it: permission denied (code 103)'],
  [new AntiphonError(12, 'disconnect() was called', 'unsent'), 'the connection was ended before it left'],
  [new AntiphonError(13, 'lost', 'unknown'), 'the session ended before the server confirmed it; it may have arrived'],
])('%s is told, and the message goes again under its old id', async (error, problem) => {
  const { messages, send, retry, published } = outboxOn(error)
  send('lobby', 'hm')
  await settled()
  expect(messages.value).toMatchObject([{ state: 'failed', problem }])
  retry(messages.value[0]?.id ?? '')
  await settled()
  expect(messages.value).toMatchObject([{ state: 'sent', problem: '' }])
  expect(published[1]).toEqual(published[0])
})

test('it is bounded', () => {
  const { isFull, send } = outboxOn()
  for (let sent = 0; sent < OUTBOX_LIMIT; sent += 1) {
    expect(isFull.value).toBe(false)
    send('lobby', 'x')
  }
  expect(isFull.value).toBe(true)
})

async function settled(): Promise<void> {
  await nextTick()
  await nextTick()
}
