/** How long to wait between attempts, in milliseconds: at random up to `base`, which doubles each time up to `max`. */
export interface Backoff {
  readonly base: number
  readonly max: number
}

/** The wait before an attempt, of which `failures` came before: full jitter, so that clients who lost the same server do not return at the same time. */
export function backoffDelay(failures: number, { base, max }: Backoff, random: () => number): number {
  return Math.floor(random() * Math.min(max, base * 2 ** failures))
}
