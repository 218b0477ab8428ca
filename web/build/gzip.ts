import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** Below this size a second copy of a file is not worth its place in the binary. */
const SMALLEST = 512

/** Writes a `.gz` beside each built file that shrinks, so that the server never compresses a page. */
export function gzipAssets(): Plugin {
  let folder = ''
  return {
    name: 'gzip-assets',
    apply: 'build',
    configResolved(config) {
      folder = join(config.root, config.build.outDir)
    },
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(html|js|css|svg)$/.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const plain = readFileSync(path)
        const packed = gzipSync(plain, { level: 9 })
        if (plain.length >= SMALLEST && packed.length < plain.length) writeFileSync(`${path}.gz`, packed)
      }
    },
  }
}
