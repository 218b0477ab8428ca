import { stream } from './stream.ts'
import type { Link, Start } from './transport.ts'

/** HTTP streaming (`/connection/http_stream`): one message a line. */
export function httpStream(start: Start): Link {
  return stream(start, start.endpoints.http_stream, (line) => line)
}
