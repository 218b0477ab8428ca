import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The client's source, so that nothing has to be built for the tests.
  resolve: { conditions: ['antiphon-source'] },
  ssr: { resolve: { conditions: ['antiphon-source'] } },
  test: { environment: 'node', include: ['tests/*.test.ts'] },
})
