import vue from '@vitejs/plugin-vue'
import { defaultClientConditions, defaultServerConditions } from 'vite'
import { defineConfig } from 'vitest/config'
import { gzipAssets } from '../../build/gzip.ts'

const ROUTES = ['/connection', '/emulation', '/raw', '/events?', '/api', '/admin', '/metrics']
const server = process.env.ANTIPHON_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), gzipAssets()],
  build: { target: 'es2022', reportCompressedSize: false },
  // The packages as they are written, so that nothing has to be built before.
  resolve: { conditions: ['antiphon-source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['antiphon-source', ...defaultServerConditions] } },
  // `npm run dev` serves the pages; all else is that of a running server.
  server: {
    proxy: Object.fromEntries(ROUTES.map((route) => [route, { target: server, ws: true }])),
  },
  test: { environment: 'node', include: ['tests/**/*.test.ts'] },
})
