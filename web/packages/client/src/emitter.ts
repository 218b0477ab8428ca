/** Calls listeners by the name of the event. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(value: never) => void>>()

  /** Adds a listener and gives what removes it. */
  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    // A function of its own for each call: the same listener may be there twice.
    const entry = (value: Events[Name]): void => {
      listener(value)
    }
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(entry))
    return () => {
      listeners.delete(entry)
    }
  }

  /** A listener that throws hinders nobody else: its error is thrown where nothing of ours is under way. */
  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    const listeners = this.#listeners.get(name) as Set<(value: Events[Name]) => void> | undefined
    for (const listener of [...(listeners ?? [])]) {
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}
