import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { gzipAssets } from '../../build/gzip.ts'

const server = process.env.ANTIPHON_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [vue(), gzipAssets()],
  build: { target: 'es2022', reportCompressedSize: false },
  // `npm run dev` serves the pages; the WebSocket routes are those of a running server.
  server: {
    proxy: {
      '/connection': { target: server, ws: true },
      '/raw': { target: server, ws: true },
    },
  },
  test: { environment: 'node', include: ['tests/**/*.test.ts'] },
})
