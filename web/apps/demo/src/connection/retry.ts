/** Bounds of the wait between two attempts, in milliseconds. */
const FIRST = 1_000
const LONGEST = 20_000

/**
 * The wait before attempt number `attempt` (from 1): doubling, and half of it random, so that the clients of a
 * restarted server do not all come back in the same instant.
 */
export function retryDelay(attempt: number, random: () => number): number {
  const ceiling = Math.min(LONGEST, FIRST * 2 ** (attempt - 1))
  return Math.round(ceiling * (0.5 + random() / 2))
}
