import { Points } from '@antiphon/ui'
import type { Point, Stats } from './shapes'

/** So many seconds the server keeps, and so many the page. */
export const KEPT = 600

/** The seconds of the server as charts show them: one set of series for each chart, all with the same times. */
export class Charts {
  readonly connections = new Points(6, KEPT)
  readonly messagesIn = new Points(1, KEPT)
  readonly messagesOut = new Points(1, KEPT)
  readonly lag = new Points(2, KEPT)
  readonly trouble = new Points(2, KEPT)
  readonly traffic = new Points(2, KEPT)
  readonly memory = new Points(2, KEPT)
  readonly cpu = new Points(1, KEPT)
  #last: number | undefined

  /** Takes seconds in, oldest first. Where some are missing, every line has a gap. */
  add(points: readonly Point[], interval: Stats['interval_ms']): void {
    for (const point of points) {
      if (this.#last !== undefined && point.at - this.#last > 2.5 * interval) this.#gap(this.#last + interval)
      this.#last = point.at
      const { at, connections } = point
      this.connections.add(at, [
        connections.websocket,
        connections.http_stream,
        connections.sse,
        connections.poll,
        connections.event_source,
        connections.raw + connections.echo,
      ])
      this.messagesIn.add(at, [point.publications_per_s])
      this.messagesOut.add(at, [point.deliveries_per_s])
      this.lag.add(at, [point.lag_p50_ms, point.lag_p99_ms])
      this.trouble.add(at, [point.slow_clients, point.errors])
      this.traffic.add(at, [point.bytes_in_per_s, point.bytes_out_per_s])
      this.memory.add(at, [point.memory_bytes, point.history_bytes])
      this.cpu.add(at, [point.cpu])
    }
  }

  #gap(at: number): void {
    for (const points of [this.connections, this.messagesIn, this.messagesOut, this.lag, this.trouble, this.traffic, this.memory, this.cpu]) points.add(at, [])
  }
}
