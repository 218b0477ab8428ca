import { AntiphonError, type ClientInfo } from '@antiphon/client'
import { computed, shallowReadonly, shallowRef, type ComputedRef, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import { useClient, type ClientOption } from '../antiphon.ts'
import type { Channels } from '../channels.ts'
import { Frame } from '../frame.ts'
import { whileNamed } from '../life.ts'
import { lease, type Needs } from '../subscription.ts'

export interface UsePresence {
  /** Each connection once, as long as it is there. It changes once in each frame at most. */
  readonly members: Readonly<ShallowRef<readonly ClientInfo[]>>
  readonly count: ComputedRef<number>
  /** How many users that are: somebody with two tabs counts once. All who are anonymous count as one. */
  readonly users: ComputedRef<number>
  /** Why there is no list. */
  readonly error: Readonly<ShallowRef<Error | undefined>>
}

/** Who is in a channel, while the component is mounted. It subscribes, with join and leave. */
export function usePresence(name: MaybeRefOrGetter<(keyof Channels & string) | undefined>, options: ClientOption & Pick<Needs, 'token'> = {}): UsePresence {
  const client = useClient<Record<string, unknown>>(options)
  const members = shallowRef<readonly ClientInfo[]>([])
  const error = shallowRef<Error>()

  const clear = (): void => {
    members.value = []
    error.value = undefined
  }
  whileNamed(client, name, clear, (name) => {
    const part = lease(client, name, { ...options, joinLeave: true })
    const { channel } = part
    const list = new Map<string, ClientInfo>()
    const frame = new Frame(() => { members.value = [...list.values()] })
    /** What has happened since the list was asked for, for it may be older or newer than that. */
    let since: (() => void)[] = []
    let turn = 0

    const apply = (change: () => void): void => {
      since.push(change)
      change()
      frame.request()
    }
    const ask = (): void => {
      const mine = ++turn
      since = []
      channel.presence().then(
        (people) => {
          if (mine !== turn) return
          list.clear()
          for (const person of people) list.set(person.client, person)
          for (const change of since.splice(0)) change()
          error.value = undefined
          frame.request()
        },
        (problem: unknown) => { if (mine === turn) error.value = problem as Error },
      )
    }
    const stops = [
      channel.on('join', (info) => { apply(() => list.set(info.client, info)) }),
      channel.on('leave', ({ client }) => { apply(() => list.delete(client)) }),
      // Joins and leaves are not kept for who was away.
      channel.on('subscribed', ask),
      channel.on('unsubscribed', ({ code, reason }) => {
        turn += 1
        list.clear()
        frame.request()
        if (code !== 0) error.value = new AntiphonError(code, `Not subscribed to ${name}: ${reason}`)
      }),
    ]
    if (channel.state === 'subscribed') ask()
    return () => {
      turn += 1
      frame.cancel()
      for (const stop of stops) stop()
      part.release()
    }
  })

  return {
    members: shallowReadonly(members),
    count: computed(() => members.value.length),
    users: computed(() => new Set(members.value.map(({ user }) => user)).size),
    error: shallowReadonly(error),
  }
}
