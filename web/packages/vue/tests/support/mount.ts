import { createRenderer, defineComponent, effectScope, h, type App, type Component } from 'vue'
import { createAntiphon } from '../../src/index.ts'
import type { Client } from '@antiphon/client'

interface Place {
  parent?: Place
}

/** A page that nobody sees: components live in it as in any other. */
const { createApp } = createRenderer<Place, Place>({
  insert: (child, parent) => { child.parent = parent },
  remove: () => undefined,
  patchProp: () => undefined,
  createElement: () => ({}),
  createText: () => ({}),
  createComment: () => ({}),
  setText: () => undefined,
  setElementText: () => undefined,
  parentNode: ({ parent }) => parent ?? null,
  nextSibling: () => null,
})

export function mount(client: Client, component: Component): App {
  const app: App = createApp(component)
  app.use(createAntiphon(client))
  app.mount({})
  return app
}

/** A component that is nothing but its `setup`. */
export function of(setup: () => void): Component {
  return defineComponent({
    setup() {
      setup()
      return () => h('p')
    },
  })
}

/** What `use` gives in a scope without a component, and what ends that. */
export function inScope<T>(use: () => T): T & { stop: () => void } {
  const scope = effectScope()
  const used = scope.run(use) as T
  return { ...used, stop: () => { scope.stop() } }
}
