import { SharedHost } from './host.ts'
import type { Platform, Port } from './wire.ts'

/** Who looks for a host. */
export interface Seeker {
  /** Of the shared connection. */
  readonly name: string
  /** Of the tab, new each time. */
  readonly id: string
  /** A host that should be there does not answer: another one takes its place. */
  readonly isForced: boolean
  /** The tab's end of a line that hosts say hello on. */
  readonly onport: (port: Port) => void
  /** This way leads nowhere. */
  readonly onfail: () => void
}

/** How tabs find the host that they share. */
export interface Way {
  /** Whether a host may end without another one that says hello. */
  readonly mayDie: boolean
  /** Gives what leaves it. */
  readonly open: (seeker: Seeker) => () => void
}

/** The host lives in a SharedWorker that has loaded `@antiphon/client/worker`. */
export function workerWay(start: () => SharedWorker): Way {
  return {
    mayDie: true,
    open({ name, onport, onfail }) {
      let port: Port | undefined
      try {
        const worker = start()
        // It could not be loaded.
        worker.onerror = onfail
        port = worker.port
        onport(port)
        port.postMessage(name)
      } catch {
        queueMicrotask(onfail)
      }
      return () => port?.close()
    },
  }
}

/**
 * The host lives in one of the tabs: the one that holds a lock which they all want. All hear a common BroadcastChannel, and each has one with the host.
 *
 * ```text
 *   tab                        common                        leader
 *    │ ── { join: id } ──────────►│──────────────────────────► │  opens the tab's channel and says hello on it
 *    │ ◄──────────────────────────│◄────────── { lead } ────── │  it has the lock; every tab joins anew
 * ```
 */
export function leaderWay(platform: Platform, locks: Pick<LockManager, 'request'>, BroadcastChannel: new (name: string) => Port): Way {
  return {
    mayDie: false,
    open({ name, id, isForced, onport }) {
      const channelOf = (id: string): string => `${name} ${id}`
      const common = new BroadcastChannel(name)
      const mine = new BroadcastChannel(channelOf(id))
      const stop = new AbortController()
      let host: SharedHost | undefined
      const admitted = new Set<string>()
      const admit = (id: string): void => {
        if (host === undefined || admitted.has(id)) return
        admitted.add(id)
        host.attach(new BroadcastChannel(channelOf(id)))
      }
      const resign = (): void => {
        host?.close()
        host = undefined
      }
      common.onmessage = ({ data }: MessageEvent<{ readonly join?: string; readonly lead?: true }>) => {
        if (data.lead === true) common.postMessage({ join: id })
        else if (data.join !== undefined) admit(data.join)
      }
      onport(mine)
      common.postMessage({ join: id })
      const lead = (): Promise<void> | undefined => {
        if (stop.signal.aborted) return undefined
        host = new SharedHost(platform)
        common.postMessage({ lead: true })
        admit(id)
        return new Promise((resolve) => { stop.signal.addEventListener('abort', () => { resolve() }) })
      }
      // It rejects where the lock was taken from us, or is not wanted any more.
      locks.request(`${name} leader`, isForced ? { steal: true } : { signal: stop.signal }, lead).catch(resign)
      return () => {
        resign()
        stop.abort()
        common.close()
        mine.close()
      }
    },
  }
}
