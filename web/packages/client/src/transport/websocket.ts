import { parseReplies } from '../protocol.ts'
import { reasonOf, type End, type Link, type Start } from './transport.ts'

/** The code by which we close a socket whose session goes on: to the server, 1000 is the end of the session. */
const LET_GO = 4000
const TOO_BIG = 1009

/** A WebSocket (`/connection/websocket`): frames both ways. */
export function websocket(start: Start): Link {
  let hasEnded = false
  const isOpen = (): boolean => !hasEnded
  let isReady = false
  let cursor = 0
  let socket: WebSocket | undefined

  function closed(end: End): void {
    if (hasEnded) return
    hasEnded = true
    start.onclose(end)
  }

  function release(code: number): void {
    if (hasEnded) return
    hasEnded = true
    if (socket === undefined) return
    try {
      socket.close(code)
    } catch {
      // It never was open.
    }
  }

  function wake(): void {
    if (hasEnded || !isReady) return
    for (let batch = start.collect(cursor); batch !== undefined; batch = start.collect(cursor)) {
      cursor = batch.last
      socket?.send(batch.text)
    }
  }

  try {
    if (start.WebSocket === undefined) throw new Error('There is no WebSocket here; give one as the option WebSocket')
    socket = new start.WebSocket(start.endpoints.websocket)
    const opened = socket
    opened.onopen = () => {
      if (isOpen()) opened.send(start.connect())
    }
    opened.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (hasEnded) return
      try {
        for (const reply of parseReplies(String(data))) if (isOpen()) start.onreply(reply)
      } catch (error) {
        release(LET_GO)
        start.onclose({ code: 0, reason: `not the protocol: ${reasonOf(error)}` })
      }
    }
    opened.onclose = ({ code, reason }) => {
      const end: End = { code: code >= 3000 ? code : 0, reason: reason || `WebSocket closed with ${code}` }
      closed(code === TOO_BIG ? { ...end, cause: 'large' } : end)
    }
    // A close event follows.
    opened.onerror = () => undefined
  } catch (error) {
    void Promise.resolve().then(() => {
      closed({ code: 0, reason: reasonOf(error) })
    })
  }

  return {
    ready(_name, after) {
      isReady = true
      cursor = after
      wake()
    },
    wake,
    close() {
      release(LET_GO)
    },
    end() {
      release(1000)
    },
  }
}
