/** What a SharedWorker runs that has the connection of all tabs: see `share()`. */
import { registry } from './share/registry.ts'
import { platform } from './share/wire.ts'

const admit = registry(platform())
addEventListener('connect', (event) => {
  const [port] = (event as MessageEvent).ports
  if (port !== undefined) admit(port)
})
