import type { Origin, Transport } from './shapes'

export const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = {
  websocket: 'WebSocket',
  http_stream: 'HTTP stream',
  sse: 'SSE',
  poll: 'Long polling',
  event_source: 'EventSource',
  raw: 'Raw',
  echo: 'Echo',
}

export const ORIGIN_NAMES: Readonly<Record<Origin, string>> = {
  default: 'default',
  development: 'development',
  file: 'file',
  environment: 'environment',
  flag: 'flag',
}
