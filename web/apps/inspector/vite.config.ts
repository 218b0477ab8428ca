import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'
import { gzipAssets } from '../../build/gzip.ts'

const server = process.env.ANTIPHON_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  base: '/admin/',
  plugins: [vue(), gzipAssets()],
  // No file becomes a `data:` URL: the server allows what it serves itself, and nothing else.
  build: { target: 'es2022', reportCompressedSize: false, assetsInlineLimit: 0 },
  // `npm run dev` serves the page; what it asks is answered by a running server.
  server: {
    proxy: {
      '/admin/api': { target: server },
      '/admin/login': { target: server, bypass: (request) => (request.method === 'POST' ? undefined : request.url) },
      '/admin/logout': { target: server },
    },
  },
  test: { environment: 'node', env: { BASE_URL: '/admin/' }, include: ['tests/**/*.test.ts'] },
})
