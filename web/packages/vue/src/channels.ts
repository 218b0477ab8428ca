import type { AnyChannels, ChannelTypes } from '@antiphon/client'

/**
 * Where an application says once which channels it has, and what is in them:
 *
 * ```ts
 * declare module '@antiphon/vue' {
 *   interface Register { channels: { alerts: { level: number }; [chat: `chat:${string}`]: { text: string } } }
 * }
 * ```
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- applications add to it
export interface Register {}

/** The channels of the application, any where it does not say. */
export type Channels = Register extends { channels: infer Known extends ChannelTypes } ? Known : AnyChannels

/** What is in the channel of this name: `T` where that is given, else what {@link Register} says. */
export type DataOf<T, Name extends string> = [T] extends [never] ? (Name extends keyof Channels ? Channels[Name] : unknown) : T
