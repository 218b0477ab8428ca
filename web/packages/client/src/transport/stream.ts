import { parseReplies } from '../protocol.ts'
import { post, reasonOf, type End, type Link, type Start } from './transport.ts'
import { uplink } from './uplink.ts'

/**
 * A response without end whose lines are messages.
 *
 * @param messageOf gives the message in a line, or `undefined` where there is none. Only whole lines count: a response may be cut anywhere.
 */
export function stream(start: Start, url: string, messageOf: (line: string) => string | undefined): Link {
  const abort = new AbortController()
  const up = uplink(start, closed)
  let hasEnded = false
  const isOpen = (): boolean => !hasEnded

  function closed(end: End): void {
    if (hasEnded) return
    release()
    start.onclose(end)
  }

  function release(): void {
    hasEnded = true
    up.close()
    abort.abort()
  }

  async function read(): Promise<void> {
    const response = await post(start, url, start.connect(), abort.signal)
    if (!response.ok || response.body === null) throw new Error(`the server answered ${response.status}`)
    const reader = response.body.getReader()
    const decoder = new TextDecoder()
    let rest = ''
    for (let chunk = await reader.read(); isOpen() && !chunk.done; chunk = await reader.read()) {
      const lines = (rest + decoder.decode(chunk.value, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        for (const reply of parseReplies(messageOf(line) ?? '')) if (isOpen()) start.onreply(reply)
      }
    }
  }

  // Nothing is called before this function has returned.
  void Promise.resolve().then(async () => {
    if (hasEnded) return
    try {
      await read()
      closed({ code: 0, reason: 'the response ended' })
    } catch (error) {
      closed({ code: 0, reason: reasonOf(error) })
    }
  })

  return {
    ready: up.ready,
    wake: up.wake,
    close: release,
    end() {
      release()
      up.end()
    },
  }
}
