// How large the adapter is in a page: bundled without Vue and the client, minified, gzipped. Exit status 1 above the limit.
import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

/** In bytes. */
const LIMIT = 5 * 1024

const [{ output }] = await build({
  configFile: false,
  logLevel: 'error',
  build: {
    write: false,
    target: 'es2022',
    minify: true,
    lib: { entry: fileURLToPath(new URL('src/index.ts', import.meta.url)), formats: ['es'] },
    rolldownOptions: { external: ['vue', '@antiphon/client'] },
  },
})
const size = gzipSync(output[0].code, { level: 9 }).length
console.log(`@antiphon/vue: ${size} bytes gzipped, ${LIMIT} are the limit`)
process.exit(size > LIMIT ? 1 : 0)
