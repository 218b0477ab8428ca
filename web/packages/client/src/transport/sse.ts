import { stream } from './stream.ts'
import type { Link, Start } from './transport.ts'

/** Server-Sent Events (`/connection/sse`), read with `fetch`: an EventSource could only ask with the session in the URL. */
export function sse(start: Start): Link {
  return stream(start, start.endpoints.sse, (line) => (line.startsWith('data:') ? line.slice(5) : undefined))
}
