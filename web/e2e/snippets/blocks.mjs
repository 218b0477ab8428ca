import { readFileSync } from 'node:fs'

/** The languages of blocks that are run; others show what a program prints, or a configuration. */
const RUN = new Set(['js', 'ts', 'jsx', 'vue', 'python', 'sh'])

/** The blocks of a page of the documentation that can be run, in order: `{ language, code, line }`. */
export function blocksOf(page) {
  const text = readFileSync(new URL(`../../../docs/src/${page}`, import.meta.url), 'utf8')
  const blocks = [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)]
  return blocks
    .map(({ 1: language, 2: code, index }) => ({ language, code, line: text.slice(0, index).split('\n').length }))
    .filter(({ language }) => RUN.has(language))
}
