import { State, type Centrifuge, type PublicationContext } from 'centrifuge'
import { computed, reactive, ref } from 'vue'
import { randomId, readPublication, type Entry, type Outgoing } from './message'
import { channelOf } from './roomName'

/** The newest lines that a room keeps; older ones go. */
export const LOG_LIMIT = 500
/** The messages that may wait to be sent again before the room takes no more. */
export const OUTBOX_LIMIT = 20
const HISTORY_PAGE = 100

export interface Author {
  name(): string
  /** Whether a client id is, or was, that of this tab. */
  isOwn(client: string): boolean
}

/** One channel as a conversation: what the server has confirmed (`log`), and what of ours it has not (`outbox`). */
export function useRoom(client: Centrifuge, name: string, author: Author) {
  const channel = channelOf(name)
  const log = reactive<Entry[]>([])
  const outbox = reactive<Outgoing[]>([])
  const known = new Set<string>()
  const unread = ref(0)
  const problem = ref('')
  const subscribed = ref(false)
  let left = false

  const subscription = client.newSubscription(channel)
  subscription.on('publication', (publication) => {
    if (take(publication)) unread.value += 1
  })
  subscription.on('subscribed', ({ wasRecovering, recovered }) => {
    subscribed.value = true
    problem.value = ''
    const returning = left
    left = false
    if (wasRecovering && recovered) settle()
    else void fillFromHistory(returning)
  })
  subscription.on('subscribing', () => {
    // Only a room that was joined can have missed something.
    left ||= subscribed.value
    subscribed.value = false
  })
  subscription.on('unsubscribed', ({ code, reason }) => {
    left ||= subscribed.value
    subscribed.value = false
    if (code !== 0) problem.value = `The server closed this room: ${reason} (code ${code.toString()}).`
  })
  subscription.on('error', ({ error }) => {
    problem.value = `The server did not open this room yet: ${error.message} (code ${error.code.toString()}).`
  })
  subscription.subscribe()

  /** Adds a publication to the log, once; true when it is news from someone else. */
  function take(publication: PublicationContext): boolean {
    const message = readPublication(publication, Date.now(), (id) => author.isOwn(id))
    if (known.has(message.id)) return false
    append(message)
    if (message.own || publication.info === undefined) discard(message.id)
    return !message.own
  }

  function append(entry: Entry): void {
    known.add(entry.id)
    log.push(entry)
    for (const old of log.splice(0, log.length - LOG_LIMIT)) known.delete(old.id)
  }

  /**
   * Asks what was said before. After an absence, a history that does not reach back to a line we have, or no
   * history at all, leaves a gap, and the log says so.
   */
  async function fillFromHistory(returning: boolean): Promise<void> {
    let page: PublicationContext[] = []
    try {
      page = (await subscription.history({ limit: HISTORY_PAGE, reverse: true })).publications.reverse()
    } catch {
      // No history here (error 108), or the connection went again: then it is asked once more after the next join.
    }
    const reachesBack = page.some((publication) => known.has(readPublication(publication, 0, () => false).id))
    if (returning && log.length > 0 && !reachesBack) {
      append({ kind: 'gap', id: randomId(), at: Date.now() })
    }
    for (const publication of page) take(publication)
    settle()
  }

  /** Confirmed messages whose publication passed while the room was closed move to the log. */
  function settle(): void {
    for (const { id, name, text, at } of outbox.filter(({ state }) => state === 'sent')) {
      discard(id)
      if (!known.has(id)) append({ kind: 'message', id, author: name, text, at, own: true })
    }
  }

  function send(text: string): void {
    outbox.push({ id: randomId(), name: author.name(), text, at: Date.now(), state: 'sending', problem: '' })
    void publish(outbox[outbox.length - 1]?.id ?? '')
  }

  /** Sends a failed message again under its old id: if it did arrive, everybody shows it once. */
  function retry(id: string): void {
    update(id, { state: 'sending', problem: '' })
    void publish(id)
  }

  async function publish(id: string): Promise<void> {
    const message = outbox.find((candidate) => candidate.id === id)
    if (message === undefined) return
    if (client.state !== State.Connected) {
      update(id, { state: 'failed', problem: 'there is no connection' })
      return
    }
    try {
      await client.publish(channel, { id, name: message.name, text: message.text, at: message.at })
      update(id, { state: 'sent' })
    } catch (error) {
      update(id, { state: 'failed', problem: whyNotSent(error) })
    }
  }

  function update(id: string, change: Partial<Outgoing>): void {
    const index = outbox.findIndex((message) => message.id === id)
    const message = outbox[index]
    if (message !== undefined) outbox[index] = { ...message, ...change }
  }

  function discard(id: string): void {
    const index = outbox.findIndex((message) => message.id === id)
    if (index >= 0) outbox.splice(index, 1)
  }

  return reactive({
    name,
    log,
    outbox,
    unread,
    problem,
    subscribed,
    isFull: computed(() => outbox.length >= OUTBOX_LIMIT),
    send,
    retry,
    discard,
  })
}

export type Room = ReturnType<typeof useRoom>

/** The client rejects with plain `{code, message}` objects; codes below 100 are its own. */
function whyNotSent(error: unknown): string {
  const { code, message } = error as { code: number; message: string }
  if (code === 1) return 'the server did not confirm it in time'
  if (code < 100) return 'the connection closed before the server confirmed it'
  return `the server refused it: ${message} (code ${code.toString()})`
}
