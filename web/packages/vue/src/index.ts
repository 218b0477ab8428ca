export { createAntiphon, useClient, type Antiphon, type ClientOption } from './antiphon.ts'
// With a star, so that applications can add to what is there.
export type * from './channels.ts'
export type { Loaded } from './feed.ts'
export { useChannel, type UseChannel, type UseChannelOptions } from './useChannel/index.ts'
export { useConnection, type UseConnection } from './useConnection/index.ts'
export { useHistory, type UseHistory, type UseHistoryOptions } from './useHistory/index.ts'
export { usePresence, type UsePresence } from './usePresence/index.ts'
