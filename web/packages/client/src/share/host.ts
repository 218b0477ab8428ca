import { AntiphonError, codes } from '../errors.ts'
import { OwnConnection, startOf } from '../own.ts'
import type { Command, ConnectResult, Position, Push, SubscribeRequest, SubscribeResult } from '../protocol.ts'
import type { Kind } from '../session.ts'
import { endSession } from '../transport/uplink.ts'
import { Guest } from './guest.ts'
import { SharedSubscription } from './subscription.ts'
import { newName, packed, unpacked, type Join, type Platform, type Port, type ToHost, type ToTab } from './wire.ts'

/** How long a tab has to give a token, in milliseconds, before another one is asked. */
const TOKEN_PATIENCE = 10_000

/**
 * The one connection, and the tabs that share it.
 *
 * ```text
 *    tab ── Guest ──┐                        ┌── Session ── Connection ── server
 *    tab ── Guest ──┼── Host ── OwnConnection┘
 *    tab ── Guest ──┘    └─ a SharedSubscription for each channel
 * ```
 *
 * It stands between sessions: a tab has one with the host, the host has one with the server. The first tab brings the options and opens it, the
 * last one ends it.
 */
export class SharedHost {
  readonly name = newName()
  readonly #platform: Platform
  readonly #guests = new Map<Guest, AbortController>()
  /** Who has not joined yet. */
  readonly #strangers = new Set<Guest>()
  readonly #subscriptions = new Map<string, SharedSubscription>()
  /** What the server has subscribed us to by itself. */
  #given: Record<string, SubscribeResult> = {}
  #begun: ConnectResult = {}
  #own: OwnConnection | undefined
  #join: Join | undefined
  /** Sessions of hosts before this one, which we have ended. */
  readonly #former = new Set<string>()
  readonly #wanted = new Map<number, { readonly guest: Guest; readonly answer: (message: NonNullable<ToHost['token']> | undefined) => void }>()
  #lastWanted = 0

  constructor(platform: Platform) {
    this.#platform = platform
  }

  /** A tab has come. */
  attach(port: Port): void {
    this.#strangers.add(new Guest(this.name, port, {
      handle: (guest, message) => { this.#handle(guest, message) },
      isLate: (guest) => { for (const subscription of this.#subscriptions.values()) subscription.suspend(guest) },
      isBack: (guest) => { this.#welcome(guest, true) },
    }))
  }

  /** Ends the session and leaves the tabs to another host. */
  close(): void {
    for (const guest of [...this.#strangers]) guest.close()
    for (const [guest, stop] of this.#guests) {
      guest.tell({ bye: true })
      stop.abort()
      guest.close()
    }
    this.#strangers.clear()
    this.#guests.clear()
    this.#end()
  }

  #handle(guest: Guest, message: ToHost): void {
    const { join, say, doubt, cut, forbid, allow, token, bye } = message
    if (join !== undefined) this.#enter(guest, join)
    else if (bye === true) this.#leave(guest)
    else if (!this.#guests.has(guest)) return
    else if (say !== undefined) for (const line of say.split('\n')) this.#carryOut(guest, JSON.parse(line) as Command)
    else if (token !== undefined) this.#wanted.get(token.id)?.answer(token)
    else if (doubt !== undefined) this.#own?.doubt(doubt)
    else if (cut === true) this.#own?.cut()
    else if (forbid !== undefined) this.#own?.forbid(forbid)
    else if (allow !== undefined) this.#own?.allow(allow)
  }

  #enter(guest: Guest, join: Join): void {
    const first = this.#guests.size === 0 ? undefined : this.#join
    const difference = first === undefined ? '' : differenceOf(first, join)
    if (difference !== '') {
      guest.tell({ refused: `Another tab shares this connection with other options: ${difference}; give all tabs the same, or another \`key\`` })
      return
    }
    guest.join = join
    this.#strangers.delete(guest)
    const stop = new AbortController()
    this.#guests.set(guest, stop)
    if (join.lock !== undefined) {
      this.#platform.locks?.request(join.lock, { signal: stop.signal }, () => { this.#leave(guest) }).catch(() => undefined)
    }
    if (this.#own === undefined) {
      this.#join = join
      this.#own = this.#open(join)
    }
    this.#endFormer(join)
    if (this.#own.state.name === 'disconnected') this.#own.connect()
    else this.#welcome(guest)
  }

  /** The session of a host that has crashed waits for nobody: others see it leave at once. */
  #endFormer({ url, options, former }: Join): void {
    if (former === undefined || this.#former.has(former.session) || former.session === this.#begun.session) return
    this.#former.add(former.session)
    endSession(startOf(url, { ...options, ...this.#platform.start }), former)
  }

  #leave(guest: Guest): void {
    this.#strangers.delete(guest)
    this.#guests.get(guest)?.abort()
    this.#guests.delete(guest)
    guest.close()
    for (const wanted of [...this.#wanted.values()]) if (wanted.guest === guest) wanted.answer(undefined)
    for (const subscription of [...this.#subscriptions.values()]) subscription.leave(guest)
    if (this.#guests.size === 0) this.#end()
  }

  #end(): void {
    const own = this.#own
    this.#own = undefined
    own?.disconnect()
    this.#forget()
  }

  #open({ url, options, hasToken }: Join): OwnConnection {
    // What waits is bounded in each tab.
    const buffer = { commands: Infinity, size: Infinity }
    return new OwnConnection(url, { ...options, ...this.#platform.start, buffer, ...(hasToken && { token: () => this.#token() }) }, {
      stateChanged: (state) => {
        if (state.name === 'disconnected') this.#forget()
        this.#tellAll({ state })
      },
      transportChanged: (transport) => { this.#tellAll({ transport }) },
      error: (error) => { this.#tellAll({ error: packed(error) }) },
      subs: () => this.#subs(),
      begun: (result) => { this.#sessionBegun(result) },
      push: (push) => { this.#pushed(push) },
    })
  }

  #forget(): void {
    this.#subscriptions.clear()
    this.#given = {}
  }

  #tellAll(message: ToTab): void {
    for (const guest of [...this.#guests.keys()]) guest.tell(message)
  }

  /** Tells a tab how things are. With `isBack` it has missed something. */
  #welcome(guest: Guest, isBack = false): void {
    const own = this.#own
    if (own === undefined) return
    if (own.isBegun) {
      const subs = Object.entries(this.#given).map(([name, result]) => [name, isBack ? ended(result) : resultFor(guest, name, result, result)])
      this.#tellBegun(guest, { ...this.#begun, subs: Object.fromEntries(subs) as Record<string, SubscribeResult> })
    }
    if (isBack) guest.untie()
    guest.tell({ state: own.state })
  }

  #sessionBegun(result: ConnectResult): void {
    const asked = this.#subs()
    const { subs = {} } = result
    this.#begun = result
    for (const subscription of [...this.#subscriptions.values()]) subscription.again()
    for (const guest of [...this.#guests.keys()]) {
      this.#tellBegun(guest, { ...result, subs: Object.fromEntries(Object.entries(subs).map(([name, given]) => [name, resultFor(guest, name, given, asked[name])])) })
      // It has heard of the new session first: no answer of the old one counts any more.
      guest.untie()
    }
    this.#given = {}
    for (const [name, given] of Object.entries(subs)) this.#give(name, given)
  }

  #tellBegun(guest: Guest, begun: ConnectResult): void {
    guest.tell({ begun })
    // From now on it is where we are.
    if (guest.join !== undefined) guest.join = { ...guest.join, subs: {} }
  }

  /** The server has subscribed us to this by itself. Who is where we are has missed nothing. */
  #give(name: string, result: SubscribeResult): void {
    this.#given[name] = { ...ended(result), recovered: true }
  }

  /** Where we are in what the server has subscribed us to; at first, where the first tab is. */
  #subs(): Readonly<Record<string, SubscribeRequest>> {
    const given = Object.entries(this.#given)
    if (given.length === 0) return [...this.#guests.keys()][0]?.join?.subs ?? {}
    return Object.fromEntries(given.map(([name, { recoverable, offset = 0, epoch = '' }]) => [name, recoverable === true ? { recover: true, offset, epoch } : {}]))
  }

  #pushed(push: Push): void {
    const { channel = '', pub, subscribe, unsubscribe } = push
    const subscription = this.#subscriptions.get(channel)
    if (subscription !== undefined) {
      subscription.pushed(push)
      return
    }
    const given = this.#given[channel]
    if (subscribe !== undefined) this.#give(channel, subscribe)
    else if (unsubscribe !== undefined) this.#given = Object.fromEntries(Object.entries(this.#given).filter(([name]) => name !== channel))
    else if (pub?.offset !== undefined && given !== undefined) this.#given[channel] = { ...given, offset: pub.offset }
    this.#tellAll({ push })
  }

  #carryOut(guest: Guest, { id = 0, ...command }: Command): void {
    const own = this.#own
    const { subscribe, unsubscribe, sub_refresh: refresh } = command
    if (own === undefined || own.state.name === 'disconnected') guest.refuse(id, new AntiphonError(codes.disconnected, 'Disconnected', 'unsent'))
    else if (subscribe !== undefined) {
      guest.tie(id)
      this.#subscriptionOf(subscribe.channel ?? '', own).ask(guest, id, subscribe)
    } else if (unsubscribe !== undefined) {
      this.#subscriptions.get(unsubscribe.channel)?.leave(guest)
      guest.tell({ reply: { id } })
    } else {
      if (refresh !== undefined) guest.tie(id)
      own.add(
        command,
        kindOf(command),
        (reply) => {
          if (refresh !== undefined) this.#subscriptions.get(refresh.channel)?.lasts(reply?.sub_refresh ?? {})
          guest.tell({ reply: { ...reply, id } })
        },
        (error) => { guest.refuse(id, error) },
      )
    }
  }

  #subscriptionOf(name: string, own: OwnConnection): SharedSubscription {
    const subscription = this.#subscriptions.get(name) ?? new SharedSubscription(name, {
      add: (command, kind, done, fail) => { own.add(command, kind, done, fail) },
      over: (name) => { this.#subscriptions.delete(name) },
    })
    this.#subscriptions.set(name, subscription)
    return subscription
  }

  /** Asks one tab after the other. */
  async #token(): Promise<string> {
    const asked = new Set<Guest>()
    for (;;) {
      const guest = [...this.#guests.keys()].find((guest) => !asked.has(guest))
      if (guest === undefined) throw new AntiphonError(codes.unauthorized, 'No tab has given a token', 'unsent', true)
      asked.add(guest)
      const answer = await this.#ask(guest)
      if (answer?.error !== undefined) throw unpacked(answer.error)
      if (answer !== undefined) return answer.token ?? ''
    }
  }

  /** What a tab answers; nothing where it leaves or is silent. */
  #ask(guest: Guest): Promise<ToHost['token']> {
    const id = ++this.#lastWanted
    return new Promise((resolve) => {
      const answer = (message: ToHost['token']): void => {
        clearTimeout(timer)
        this.#wanted.delete(id)
        resolve(message)
      }
      const timer = setTimeout(() => { answer(undefined) }, TOKEN_PATIENCE)
      this.#wanted.set(id, { guest, answer })
      guest.tell({ wants: id })
    })
  }
}

function kindOf({ publish, rpc, send, sub_refresh: refresh }: Command): Kind {
  if (refresh !== undefined) return 'tie'
  return publish !== undefined || rpc !== undefined || send !== undefined ? 'act' : 'ask'
}

/** A subscription at the end of what its answer brought, for who cannot have that. */
function ended({ publications, ...result }: SubscribeResult): SubscribeResult {
  const last = publications?.at(-1)
  return { ...result, recovered: false, ...(last?.offset !== undefined && { offset: last.offset }) }
}

/** What a tab is told of a subscription by the server that goes on from `place`: it has missed nothing if it was there, or nowhere. */
function resultFor({ join }: Guest, name: string, result: SubscribeResult, place: Partial<Position> | undefined): SubscribeResult {
  const was = join?.subs[name]
  return was === undefined || (was.offset === place?.offset && was.epoch === place?.epoch) ? result : ended(result)
}

/** What two tabs do not have in common, for people to read. */
function differenceOf(one: Join, other: Join): string {
  const all = ({ url, hasToken, options }: Join): Record<string, unknown> => ({ url, token: hasToken, ...options })
  const [there, here] = [all(one), all(other)]
  const names = [...new Set([...Object.keys(there), ...Object.keys(here)])]
  const text = (value: unknown): string => value === undefined ? 'nothing' : JSON.stringify(value)
  return names.filter((name) => text(there[name]) !== text(here[name])).map((name) => `${name} is ${text(there[name])} there and ${text(here[name])} here`).join(', ')
}
