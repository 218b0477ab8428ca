import type { Reply } from '../protocol.ts'
import { post, reasonOf, type End, type Link, type SessionName, type Start } from './transport.ts'
import { uplink } from './uplink.ts'

/** An answer without a message comes no sooner than that, in milliseconds; where it does, something is wrong on the way, and we wait. */
const PAUSE = 1000

interface Answer {
  readonly seq: number
  readonly replies: readonly Reply[]
}

/** Long polling (`/connection/poll`): a request, whose answer has what is new, and then the next one. */
export function poll(start: Start): Link {
  let abort = new AbortController()
  const up = uplink(start, closed)
  let hasEnded = false
  const isOpen = (): boolean => !hasEnded
  let name: SessionName | undefined

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

  async function ask(body: string): Promise<void> {
    const asked = Date.now()
    abort = new AbortController()
    const response = await post(start, start.endpoints.poll, body, abort.signal)
    if (!response.ok) throw new Error(response.status === 410 ? 'the session is gone' : `the server answered ${response.status}`)
    const { seq, replies } = (await response.json()) as Answer
    if (!isOpen()) return
    start.onseq(seq)
    for (const reply of replies) if (isOpen()) start.onreply(reply)
    if (replies.length === 0 && Date.now() - asked < PAUSE) await new Promise((resolve) => setTimeout(resolve, PAUSE))
  }

  // Nothing is called before this function has returned.
  void Promise.resolve().then(async () => {
    try {
      if (isOpen()) await ask(`{"commands":[${start.connect()}]}`)
      while (isOpen() && name !== undefined) await ask(JSON.stringify({ ...name, ack: start.ack() }))
      closed({ code: 0, reason: 'the server did not answer connect' })
    } catch (error) {
      closed({ code: 0, reason: reasonOf(error) })
    }
  })

  return {
    ready(given, after, mayRepeat) {
      name = given
      up.ready(given, after, mayRepeat)
    },
    wake: up.wake,
    close: release,
    end() {
      release()
      up.end()
    },
  }
}
