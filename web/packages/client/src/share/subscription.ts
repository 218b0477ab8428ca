import { AntiphonError, codes } from '../errors.ts'
import type { Command, Lasting, Position, Publication, Push, SubscribeRequest, SubscribeResult } from '../protocol.ts'
import type { Done, Fail, Kind } from '../session.ts'
import type { Guest } from './guest.ts'

/** So many publications are kept for tabs that come later. */
const KEPT = 128
/** So many wait for a tab that is told what came before them. */
const HELD = 4096
/** The server's code for what ends a subscription that may return. */
const INSUFFICIENT_STATE = 2500

/** What a subscription needs of its host. */
export interface Above {
  add(command: Command, kind: Kind, done: Done, fail: Fail): void
  /** Nobody is in it any more. */
  over(name: string): void
}

interface Member {
  /** The number of its request. */
  readonly id: number
  readonly seesJoins: boolean
  /** Where the tab is: what is not newer is not for it. */
  offset: number
  /** What is newer than what it is being told. */
  held: Publication[] | undefined
}

interface Asker {
  readonly guest: Guest
  readonly id: number
  readonly request: SubscribeRequest
}

/**
 * One subscription of the session, and the tabs that are in it.
 *
 * ```text
 *            ask()                    the server's yes
 *   idle ───────────────► asking ──────────────────────► subscribed
 *    ▲                     │  ▲                              │
 *    └─────────────────────┘  └──────────────────────────────┘
 *       its no                 again(): another session, or join and leave are wanted as well
 * ```
 *
 * A tab that comes to a subscription which is there is in it at once, where the stream is; or where it was itself, if it says so: it is told what
 * came since, from what is kept here or from the channel's history, and what is published meanwhile waits. Where that cannot be had it hears that it
 * was not recovered.
 */
export class SharedSubscription {
  readonly #name: string
  readonly #above: Above
  readonly #members = new Map<Guest, Member>()
  /** They wait for the server's answer. */
  #askers: Asker[] = []
  /** Tabs that were in it in the session before; each will ask again. */
  readonly #former = new Set<Guest>()
  #phase: 'idle' | 'asking' | 'subscribed' = 'idle'
  #turn = 0
  /** Whose request it is that the server is to answer. */
  #first: Asker | undefined
  #request: SubscribeRequest = {}
  #result: SubscribeResult = {}
  #position: Position | undefined
  #kept: Publication[] = []
  #expiresAt: number | undefined

  constructor(name: string, above: Above) {
    this.#name = name
    this.#above = above
  }

  /** A tab wants to be in it. */
  ask(guest: Guest, id: number, request: SubscribeRequest): void {
    this.#drop(guest)
    const asker = { guest, id, request }
    this.#askers.push(asker)
    if (this.#phase === 'idle') {
      this.#position = undefined
      this.#kept = []
      this.#first = asker
      this.#send(request)
    } else if (request.join_leave === true && this.#request.join_leave !== true) {
      // Nothing is missed where there is a history: it goes on from where it is.
      this.#above.add({ unsubscribe: { channel: this.#name } }, 'tie', nothing, nothing)
      this.#first = undefined
      this.#send({ ...request, ...this.#recovery(), join_leave: true })
    } else if (this.#phase === 'subscribed') this.#admitAll()
  }

  leave(guest: Guest): void {
    this.#drop(guest)
    for (const asker of this.#askers.filter((asker) => asker.guest === guest)) asker.guest.refuse(asker.id, gone)
    this.#askers = this.#askers.filter((asker) => asker.guest !== guest)
    if (this.#phase !== 'asking' && this.#isEmpty) this.#end()
  }

  /** Another session has begun: subscribes in it, from where it is. */
  again(): void {
    for (const guest of [...this.#members.keys(), ...this.#askers.map(({ guest }) => guest)]) this.#former.add(guest)
    this.#members.clear()
    this.#askers = []
    this.#first = undefined
    if (this.#former.size === 0) this.#above.over(this.#name)
    else this.#send({ ...this.#request, ...this.#recovery() })
  }

  /** Whoever reads too slowly is out of it until it asks again. */
  suspend(guest: Guest): void {
    if (this.#members.delete(guest)) this.#former.add(guest)
  }

  /** The token counts for so much longer. */
  lasts({ expires, ttl }: Lasting): void {
    this.#expiresAt = expires === true && ttl !== undefined ? Date.now() + ttl * 1000 : undefined
  }

  pushed(push: Push): void {
    if (push.pub !== undefined) this.#published(push.pub)
    else if (push.unsubscribe !== undefined) {
      const { code, reason = '' } = push.unsubscribe
      const error = new AntiphonError(code, reason, 'refused', code >= INSUFFICIENT_STATE)
      for (const { guest, id } of this.#askers) guest.refuse(id, error)
      this.#expel(error)
      this.#above.over(this.#name)
    } else {
      for (const [guest, { seesJoins }] of this.#members) if (seesJoins) guest.tell({ push })
    }
  }

  get #isEmpty(): boolean {
    return this.#members.size === 0 && this.#askers.length === 0 && this.#former.size === 0
  }

  /** A tab is not in it any more. */
  #drop(guest: Guest): void {
    const member = this.#members.get(guest)
    if (member?.held !== undefined) guest.refuse(member.id, gone)
    this.#members.delete(guest)
    this.#former.delete(guest)
  }

  /** Members are out of it; who is still being told what it missed has no answer yet. */
  #expel(error: AntiphonError): void {
    const push: Push = { channel: this.#name, unsubscribe: { code: error.code, reason: error.message } }
    for (const [guest, { held, id }] of this.#members) {
      if (held === undefined) guest.tell({ push })
      else guest.refuse(id, error)
    }
  }

  #recovery(): SubscribeRequest {
    return this.#position === undefined ? { recover: false } : { recover: true, ...this.#position }
  }

  #send(request: SubscribeRequest): void {
    const turn = ++this.#turn
    this.#phase = 'asking'
    this.#request = request
    this.#above.add(
      { subscribe: request },
      'tie',
      (reply) => { if (turn === this.#turn) this.#answered(reply?.subscribe ?? {}) },
      (error) => { if (turn === this.#turn) this.#failed(error) },
    )
  }

  #answered(result: SubscribeResult): void {
    const { publications = [], recovered = false, offset = 0, epoch = '' } = result
    const hasPosition = result.recoverable === true || result.positioned === true
    this.#phase = 'subscribed'
    this.#result = result
    const before = recovered ? (this.#position?.offset ?? this.#request.offset ?? 0) : offset
    this.#position = hasPosition ? { offset: before, epoch } : undefined
    this.lasts(result)
    if (!recovered) {
      this.#kept = []
      this.#lose()
    }
    // Some of it may have come while the answer was on its way.
    for (const publication of publications) if ((publication.offset ?? 0) > before) this.#published(publication)
    if (hasPosition) this.#position = { offset: Math.max(offset, this.#position?.offset ?? 0), epoch }
    const first = this.#first
    if (first !== undefined && this.#askers.includes(first)) {
      this.#askers = this.#askers.filter((asker) => asker !== first)
      this.#enter(first, this.#position?.offset ?? 0)
      first.guest.tell({ reply: { id: first.id, subscribe: result } })
    }
    this.#first = undefined
    this.#admitAll()
    if (this.#isEmpty) this.#end()
  }

  /** Members have missed something: each subscribes again and says where it was. */
  #lose(): void {
    this.#expel(new AntiphonError(INSUFFICIENT_STATE, 'insufficient state', 'refused', true))
    for (const guest of this.#members.keys()) this.#former.add(guest)
    this.#members.clear()
  }

  #failed(error: AntiphonError): void {
    this.#phase = 'idle'
    const first = this.#first
    this.#first = undefined
    this.#lose()
    if (first !== undefined && this.#askers.includes(first)) {
      this.#askers = this.#askers.filter((asker) => asker !== first)
      first.guest.refuse(first.id, error)
    }
    const [next] = this.#askers
    if (next !== undefined) {
      this.#first = next
      this.#send(next.request)
    } else if (this.#isEmpty) this.#above.over(this.#name)
  }

  #admitAll(): void {
    const askers = this.#askers
    this.#askers = []
    for (const asker of askers) this.#admit(asker)
  }

  #admit(asker: Asker): void {
    const { recover, offset = 0, epoch } = asker.request
    const position = this.#position
    if (recover !== true || position === undefined) this.#welcome(asker, { was_recovering: recover === true })
    else if (epoch !== position.epoch) this.#welcome(asker, { was_recovering: true })
    else if (offset >= position.offset || (this.#kept[0]?.offset ?? Infinity) <= offset + 1) {
      // It may be ahead of us: it has loaded a state whose last publication is still on its way.
      this.#welcome(asker, recoveredFrom(offset, this.#kept))
    } else this.#catchUp(asker, { offset, epoch: position.epoch })
  }

  /** Asks for what a tab lacks. */
  #catchUp(asker: Asker, since: Position): void {
    const { guest } = asker
    const member = this.#enter(asker, since.offset)
    member.held = []
    const done = (publications: readonly Publication[] | undefined): void => {
      if (this.#members.get(guest) !== member) return
      const all = [...(publications ?? [])]
      for (const publication of member.held ?? []) {
        if ((publication.offset ?? 0) > (all.at(-1)?.offset ?? since.offset)) all.push(publication)
      }
      const isWhole = publications !== undefined && all.every((publication, at) => publication.offset === since.offset + 1 + at)
      const isAll = (all.at(-1)?.offset ?? since.offset) >= (this.#position?.offset ?? 0)
      this.#welcome(asker, isWhole && isAll ? recoveredFrom(since.offset, all) : { was_recovering: true })
    }
    this.#above.add(
      { history: { channel: this.#name, since, limit: -1 } },
      'tie',
      (reply) => { done(reply?.history?.epoch === since.epoch ? (reply.history.publications ?? []) : undefined) },
      () => { done(undefined) },
    )
  }

  #enter({ guest, id, request }: Asker, offset: number): Member {
    const member: Member = { id, seesJoins: request.join_leave === true, offset, held: undefined }
    this.#members.set(guest, member)
    return member
  }

  /** The tab is in it. */
  #welcome(asker: Asker, result: SubscribeResult): void {
    const { data, recoverable, positioned } = this.#result
    const position = this.#position
    const offset = Math.max(result.offset ?? 0, position?.offset ?? 0)
    this.#enter(asker, offset)
    asker.guest.tell({
      reply: {
        id: asker.id,
        subscribe: {
          ...(data !== undefined && { data }),
          ...(recoverable !== undefined && { recoverable }),
          ...(positioned !== undefined && { positioned }),
          ...(position !== undefined && { epoch: position.epoch, offset }),
          ...(this.#expiresAt !== undefined && { expires: true, ttl: Math.max(1, Math.floor((this.#expiresAt - Date.now()) / 1000)) }),
          ...result,
        },
      },
    })
  }

  #published(publication: Publication): void {
    const { offset } = publication
    if (offset !== undefined && this.#position !== undefined) {
      this.#position = { ...this.#position, offset }
      this.#kept.push(publication)
      if (this.#kept.length > KEPT) this.#kept.shift()
    }
    for (const [guest, member] of this.#members) {
      if (offset !== undefined && offset <= member.offset) continue
      if (member.held === undefined) guest.tell({ push: { channel: this.#name, pub: publication } })
      else if (member.held.length < HELD) member.held.push(publication)
      if (offset !== undefined && member.held === undefined) member.offset = offset
    }
  }

  #end(): void {
    if (this.#phase === 'subscribed') this.#above.add({ unsubscribe: { channel: this.#name } }, 'tie', nothing, nothing)
    this.#above.over(this.#name)
  }
}

const nothing = (): void => undefined
const gone = new AntiphonError(codes.lost, 'The subscription was left before the answer came')

function recoveredFrom(offset: number, publications: readonly Publication[]): SubscribeResult {
  const newer = publications.filter((publication) => (publication.offset ?? 0) > offset)
  return { was_recovering: true, recovered: true, offset: Math.max(offset, newer.at(-1)?.offset ?? 0), publications: newer }
}
