/** A server of the JSON protocol that lives in the test: sockets open, answer and close in virtual time. */

interface Command {
  readonly id?: number
  readonly connect?: { readonly data?: unknown }
  readonly subscribe?: { readonly channel: string }
  readonly publish?: { readonly channel: string; readonly data: unknown }
  readonly history?: { readonly channel: string; readonly limit: number }
}

export interface Publication {
  readonly data: unknown
  readonly offset?: number
  readonly info?: { readonly client: string; readonly user: string; readonly conn_info?: unknown }
}

interface Session {
  readonly channels: Set<string>
  readonly send: (message: unknown) => void
  readonly close: (code: number, reason: string) => void
}

export function testServer() {
  const sessions = new Map<string, Session>()
  const names: unknown[] = []
  const published: unknown[] = []
  const histories = new Map<string, Publication[]>()
  const knobs = {
    isUp: true,
    hasHistory: false,
    /** What a publish command is answered with: success, this error, or silence. */
    publish: 'accept' as 'accept' | 'ignore' | { readonly code: number; readonly message: string },
  }
  let attempts = 0

  function push(channel: string, pub: Publication): void {
    const kept = histories.get(channel) ?? []
    histories.set(channel, [...kept, { ...pub, offset: kept.length + 1 }])
    for (const session of sessions.values()) {
      if (session.channels.has(channel)) session.send({ push: { channel, pub } })
    }
  }

  function answer(client: string, session: Session, command: Command): unknown {
    const { connect, subscribe, publish, history } = command
    if (connect) {
      names.push(connect.data)
      return { connect: { client, version: 'test' } }
    }
    if (subscribe) {
      session.channels.add(subscribe.channel)
      return { subscribe: {} }
    }
    if (publish) {
      if (knobs.publish === 'ignore') return undefined
      if (knobs.publish !== 'accept') return { error: knobs.publish }
      published.push(publish.data)
      push(publish.channel, { data: publish.data, info: { client, user: '' } })
      return { publish: {} }
    }
    if (history && knobs.hasHistory) {
      const publications = [...(histories.get(history.channel) ?? [])].reverse().slice(0, history.limit)
      return { history: { publications, offset: 0, epoch: 'e' } }
    }
    return { error: { code: 108, message: 'not available' } }
  }

  class Socket {
    onopen: (() => void) | null = null
    onerror: ((error: unknown) => void) | null = null
    onclose: ((event: { code: number; reason: string }) => void) | null = null
    onmessage: ((event: { data: string }) => void) | null = null
    readonly #client: string
    #isClosed = false

    constructor() {
      attempts += 1
      this.#client = `client-${attempts.toString()}`
      const isUp = knobs.isUp
      setTimeout(() => {
        if (!isUp) this.#end(1006, '')
        else if (!this.#isClosed) {
          sessions.set(this.#client, {
            channels: new Set(),
            send: (message) => this.onmessage?.({ data: JSON.stringify(message) }),
            close: (code, reason) => {
              this.#end(code, reason)
            },
          })
          this.onopen?.()
        }
      }, 1)
    }

    send(data: string): void {
      for (const line of data.split('\n')) {
        const command = JSON.parse(line) as Command
        const session = sessions.get(this.#client)
        if (!session || command.id === undefined) continue
        const reply = answer(this.#client, session, command)
        if (reply !== undefined) setTimeout(() => { session.send({ id: command.id, ...(reply as object) }) }, 1)
      }
    }

    close(): void {
      setTimeout(() => { this.#end(1000, '') }, 1)
    }

    #end(code: number, reason: string): void {
      if (this.#isClosed) return
      this.#isClosed = true
      sessions.delete(this.#client)
      this.onclose?.({ code, reason })
    }
  }

  function closeAll(code: number, reason: string): void {
    for (const session of [...sessions.values()]) session.close(code, reason)
  }

  return {
    Socket,
    knobs,
    names,
    published,
    push,
    closeAll,
    attempts: () => attempts,
    stop(): void {
      knobs.isUp = false
      closeAll(1006, '')
    },
    forget(): void {
      histories.clear()
    },
    start(): void {
      knobs.isUp = true
    },
  }
}
