import { AntiphonError, codes } from '../errors.ts'
import { packed, UNREAD, HEARD_EVERY, type Envelope, type Join, type Port, type ToHost, type ToTab } from './wire.ts'

/** What a guest brings and asks. */
export interface Receiver {
  handle(guest: Guest, message: ToHost): void
  /** It has so much to read that it gets no more until it has. */
  isLate(guest: Guest): void
  /** It has read everything. */
  isBack(guest: Guest): void
}

/** A tab, as its host sees it: a line to it that says no more than the tab can read. */
export class Guest {
  join: Join | undefined
  readonly #host: string
  readonly #port: Port
  readonly #receiver: Receiver
  /** Requests whose answers end with the session. */
  readonly #ties = new Set<number>()
  #sent = 0
  #isLate = false
  #isGone = false

  constructor(host: string, port: Port, receiver: Receiver) {
    this.#host = host
    this.#port = port
    this.#receiver = receiver
    port.onmessage = ({ data }: MessageEvent<Envelope<ToHost>>) => {
      if (!this.#isGone && data[0] === host) this.#handle(data[1])
    }
    this.#post({ hello: true })
  }

  /** Says something. Who reads too slowly gets answers only. */
  tell(message: ToTab): void {
    if (this.#isGone) return
    if (message.reply !== undefined) this.#ties.delete(message.reply.id ?? 0)
    else if (this.#isLate) return
    else if (this.#sent >= UNREAD) {
      this.#isLate = true
      this.#receiver.isLate(this)
      return
    }
    this.#sent += 1
    this.#post(message)
  }

  refuse(id: number, error: AntiphonError): void {
    this.tell({ reply: { id, error: packed(error) } })
  }

  /** The answer to this will not come when the session ends. */
  tie(id: number): void {
    this.#ties.add(id)
  }

  /** The session has ended. */
  untie(): void {
    for (const id of [...this.#ties]) this.refuse(id, new AntiphonError(codes.lost, 'The session ended before the answer came', 'unknown', true))
  }

  close(): void {
    this.#isGone = true
    this.#port.onmessage = null
    this.#port.close()
  }

  #handle(message: ToHost): void {
    const { heard } = message
    if (heard === undefined) {
      this.#receiver.handle(this, message)
      return
    }
    this.#sent -= heard
    if (!this.#isLate || this.#sent >= HEARD_EVERY) return
    this.#isLate = false
    const error = new AntiphonError(codes.behind, `${UNREAD} messages waited for this tab, the limit; it goes on with what came after them`)
    this.tell({ error: packed(error) })
    this.#receiver.isBack(this)
  }

  #post(message: ToTab): void {
    this.#port.postMessage([this.#host, message] satisfies Envelope<ToTab>)
  }
}
