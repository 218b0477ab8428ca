// How large the client is in a page: bundled, minified, gzipped. Exit status 1 above a limit.
import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const KIB = 1024
/** What is measured, and how many bytes it may have. */
const BUNDLES = [
  { name: '@antiphon/client', entry: 'src/index.ts', limit: 12 * KIB },
  // Whoever shares has the client with it: this is all that a page loads, and the other all that its worker does.
  { name: '@antiphon/client/share', entry: 'src/share/index.ts', limit: 16 * KIB },
  { name: '@antiphon/client/worker', entry: 'src/worker.ts', limit: 14 * KIB },
]

let isWell = true
for (const { name, entry, limit } of BUNDLES) {
  const [{ output }] = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2022',
      minify: true,
      lib: { entry: fileURLToPath(new URL(entry, import.meta.url)), formats: ['es'] },
    },
  })
  const size = gzipSync(output[0].code, { level: 9 }).length
  console.log(`${name}: ${size} bytes gzipped, ${limit} are the limit`)
  isWell &&= size <= limit
}
process.exit(isWell ? 0 : 1)
