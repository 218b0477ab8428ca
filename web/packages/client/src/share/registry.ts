import { SharedHost } from './host.ts'
import { hostLock, type Platform, type Port } from './wire.ts'

/** The hosts of a worker, by the names of their connections. A tab that comes says first which one it wants. */
export function registry(platform: Platform): (port: Port) => void {
  const hosts = new Map<string, SharedHost>()
  const hostOf = (name: string): SharedHost => {
    const known = hosts.get(name)
    if (known !== undefined) return known
    const host = new SharedHost(platform)
    hosts.set(name, host)
    // Tabs wait for it: when it is free, the worker is no more.
    platform.locks?.request(hostLock(host.name), () => new Promise(() => undefined)).catch(() => undefined)
    return host
  }
  return (port) => {
    port.onmessage = ({ data }: MessageEvent<unknown>) => { hostOf(String(data)).attach(port) }
  }
}
