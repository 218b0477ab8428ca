// The clients of the chaos run in a page of Chromium, as an object like that of `startClients`.
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url))
const FLAGS = ['--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-background-timer-throttling', '--disable-renderer-backgrounding']
const PAGE = '<!doctype html><script type="module">import { startClients } from "/tests/chaos/clients.mjs"; window.startClients = startClients</script>'

export async function startPage(plans) {
  const files = createServer(async ({ url }, response) => {
    const path = normalize(new URL(url, 'http://page').pathname)
    const isScript = ['.js', '.mjs'].includes(extname(path))
    const body = isScript ? await readFile(join(PACKAGE, path)).catch(() => undefined) : PAGE
    response.writeHead(body === undefined ? 404 : 200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(body)
  })
  await new Promise((resolve) => files.listen(0, '127.0.0.1', resolve))
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', chromiumSandbox: false, args: FLAGS })
  const page = await browser.newPage()
  page.on('pageerror', (error) => console.error(`the page: ${error.message}`))
  await page.goto(`http://127.0.0.1:${files.address().port}/`)
  await page.waitForFunction('window.startClients')
  await page.evaluate((given) => void (window.clients = window.startClients(given)), plans)
  const call = (name) => () => page.evaluate((method) => window.clients[method](), name)
  return {
    ...Object.fromEntries(['ready', 'begin', 'calm', 'progress', 'reports'].map((name) => [name, call(name)])),
    async end() {
      await call('end')()
      await browser.close()
      files.close()
    },
  }
}
