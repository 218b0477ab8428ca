import { AntiphonError, type Client } from '@antiphon/client'
import { computed, shallowRef, type Ref } from 'vue'
import { channelOf } from './names'
import { randomId, type Outgoing } from './message'

/** The messages that may wait for the server, or to be sent again, before it takes no more. */
export const OUTBOX_LIMIT = 20

/** What of ours the server has not confirmed, in all rooms. */
export function useOutbox(client: Pick<Client, 'publish'>, name: Readonly<Ref<string>>) {
  const messages = shallowRef<readonly Outgoing[]>([])

  function send(room: string, text: string): void {
    const message: Outgoing = { id: randomId(), name: name.value, text, at: Date.now(), room, state: 'waiting', problem: '' }
    messages.value = [...messages.value, message]
    void publish(message)
  }

  /** Sends a failed message again under its old id: if it did arrive, everybody shows it once. */
  function retry(id: string): void {
    update(id, { state: 'waiting', problem: '' })
    const message = messages.value.find((candidate) => candidate.id === id)
    if (message) void publish(message)
  }

  /** Without a connection the client keeps it, and sends it when there is one. */
  async function publish({ id, name, text, at, room }: Outgoing): Promise<void> {
    try {
      await client.publish(channelOf(room), { id, name, text, at })
      update(id, { state: 'sent' })
    } catch (error) {
      update(id, { state: 'failed', problem: whyNotSent(error) })
    }
  }

  function update(id: string, change: Partial<Outgoing>): void {
    messages.value = messages.value.map((message) => (message.id === id ? { ...message, ...change } : message))
  }

  /** It stands in the conversation, or is given up. */
  function discard(id: string): void {
    if (messages.value.some((message) => message.id === id)) messages.value = messages.value.filter((message) => message.id !== id)
  }

  return { messages, isFull: computed(() => messages.value.length >= OUTBOX_LIMIT), send, retry, discard }
}

export function whyNotSent(error: unknown): string {
  if (!(error instanceof AntiphonError)) return String(error)
  switch (error.fate) {
    case 'refused':
      return `the server refused it: ${error.message} (code ${error.code.toString()})`
    case 'unsent':
      return 'the connection was ended before it left'
    case 'unknown':
      return 'the session ended before the server confirmed it; it may have arrived'
  }
}
