/**
 * What became of a command that did not succeed:
 * - `refused`: the server looked at it and did not do it;
 * - `unsent`: it was never given to a transport;
 * - `unknown`: it was sent, and the session ended before the server said what came of it. It may have been done.
 */
export type Fate = 'refused' | 'unsent' | 'unknown'

/** Codes of the client itself; those from 100 on are the server's. */
export const codes = {
  /** More waits to be sent than `buffer` allows. */
  full: 10,
  /** The command is larger than the server takes. */
  tooLarge: 11,
  /** `disconnect()` was called, or the server ended the connection for good. */
  disconnected: 12,
  /** The session ended without an answer. */
  lost: 13,
  /** What is to be sent is no JSON. */
  notJson: 14,
  /** The token function gave nothing: the user may not connect. */
  unauthorized: 15,
  /** An iterator was not read for so long that more messages wait than it may keep. */
  behind: 16,
  /** Tabs that share a connection have different options. */
  differs: 17,
} as const

/** Why a command, a subscription or a connection failed. */
export class AntiphonError extends Error {
  override readonly name = 'AntiphonError'

  constructor(
    /** One of {@link codes}, or the server's. */
    readonly code: number,
    message: string,
    readonly fate: Fate = 'refused',
    /** Whether the same may succeed later. */
    readonly isTemporary = false,
  ) {
    super(message)
  }
}
