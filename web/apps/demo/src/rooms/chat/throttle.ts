/** Calls `act` with the latest value, at once and then at most every `interval` milliseconds. The latest is never dropped. */
export function throttle<T>(interval: number, act: (value: T) => void): { call: (value: T) => void; stop: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined
  let waiting: { value: T } | undefined

  function rest(): void {
    timer = setTimeout(() => {
      timer = undefined
      if (waiting) call(waiting.value)
    }, interval)
  }

  function call(value: T): void {
    if (timer !== undefined) {
      waiting = { value }
      return
    }
    waiting = undefined
    rest()
    act(value)
  }

  return {
    call,
    stop(): void {
      clearTimeout(timer)
      timer = waiting = undefined
    },
  }
}
