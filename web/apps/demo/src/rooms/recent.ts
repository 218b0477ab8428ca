import type { Channel, Message, Position } from '@antiphon/client'

/** So many messages a server gives at once. */
const PAGE = 300

/**
 * The newest messages of a channel, oldest first, and the position of the stream: what is published after it comes by the subscription.
 * Those that `check` does not take are left out.
 */
export async function recent<T>(channel: Channel<unknown>, count: number, check: (data: unknown) => T): Promise<{ messages: Message<T>[]; position: Position }> {
  const { messages: newest, position } = await channel.history({ limit: Math.min(count, PAGE), reverse: true })
  const messages = [...newest]
  for (let first = messages.at(-1)?.offset ?? 0; first > 1 && messages.length < count; first = messages.at(-1)?.offset ?? 0) {
    const older = await channel.history({ limit: Math.min(count - messages.length, PAGE), reverse: true, since: { offset: first, epoch: position.epoch } })
    if (older.messages.length === 0) break
    messages.push(...older.messages)
  }
  return { messages: messages.reverse().flatMap((message) => checked(message, check)), position }
}

function checked<T>(message: Message<unknown>, check: (data: unknown) => T): Message<T>[] {
  try {
    return [{ ...message, data: check(message.data) }]
  } catch {
    return []
  }
}
