import { execFile, spawn } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import vue from '@vitejs/plugin-vue'
import { build, createServer, defaultClientConditions, defaultServerConditions } from 'vite'
import { openTab } from '../browser.mjs'

const here = (path) => fileURLToPath(new URL(path, import.meta.url))
const FOLDER = here('../../node_modules/.snippets')
const CLIENTS = here('../../../target/conformance/clients')
/** The packages' sources, so that nothing has to be built. */
const SOURCE = 'antiphon-source'

/** The page around a block, where that is not a page by itself. */
const MAIN = `import { createAntiphon } from '@antiphon/vue'
import { createApp } from 'vue'
import App from './App.vue'

createApp(App).use(createAntiphon('/')).mount('#app')
`

/** Runs blocks, each in a folder of its own, against the server at `url`: pages in `browser`, everything else as a process. */
export async function workshop(url, browser) {
  await rm(FOLDER, { recursive: true, force: true })
  await mkdir(FOLDER, { recursive: true })
  const host = new URL(url).host
  const proxied = Object.fromEntries(['/connection', '/raw', '/events', '/emulation'].map((path) => [path, { target: url, ws: true }]))
  const pages = await createServer({
    configFile: false,
    root: FOLDER,
    cacheDir: join(FOLDER, '.vite'),
    // Sockets that a page leaves behind are no news; what breaks shows in the page.
    logLevel: 'silent',
    plugins: [vue()],
    resolve: { conditions: [SOURCE, ...defaultClientConditions], alias: { centrifuge: join(CLIENTS, 'node_modules/centrifuge') } },
    optimizeDeps: { include: ['centrifuge', 'vue', 'react', 'react-dom/client', 'react/jsx-dev-runtime'], exclude: ['@antiphon/client', '@antiphon/vue'] },
    server: { port: 0, host: '127.0.0.1', hmr: false, watch: null, fs: { strict: false }, proxy: proxied },
  })
  await pages.listen()
  const address = pages.httpServer.address()
  const errors = []
  const context = await browser.newContext()

  return {
    errors,
    /** Opens a page with the files, `main` among them. */
    async page(name, main, files, routes) {
      await written(name, { ...files, 'index.html': `<!doctype html><link rel="icon" href="data:,"><div id="app"></div><script type="module" src="./${main}"></script>` }, `127.0.0.1:${address.port}`)
      for (const [path, body] of Object.entries(routes)) await context.route(`**${path}`, (route) => route.fulfill({ body }))
      const lines = []
      const tab = await openTab(context, `http://127.0.0.1:${address.port}/${name}/index.html`, errors, undefined, (line) => lines.push(line))
      return {
        output: async () => `${lines.join('\n')}\n${await tab.locator('body').innerText()}`,
        click: (button) => tab.getByRole('button', { name: button }).click(),
        end: () => tab.close(),
      }
    },
    vue: (files) => ({ 'main.js': MAIN, ...files }),
    /** Starts a file in Node, with the packages in it. */
    async node(name, file, code) {
      const folder = await written(name, { [file]: code }, host)
      await build({
        configFile: false,
        root: folder,
        logLevel: 'error',
        resolve: { conditions: [SOURCE, ...defaultServerConditions] },
        ssr: { noExternal: [/^@antiphon\//], resolve: { conditions: [SOURCE, ...defaultServerConditions] } },
        build: { ssr: join(folder, file), target: 'node20', minify: false, rolldownOptions: { output: { entryFileNames: 'snippet.mjs' } } },
      })
      return started(process.execPath, [join(folder, 'dist/snippet.mjs')])
    },
    async python(name, code) {
      return started(join(CLIENTS, 'venv/bin/python'), [join(await written(name, { 'snippet.py': code }, host), 'snippet.py')])
    },
    shell: async (name, code) => started('bash', ['-e', join(await written(name, { 'snippet.sh': code }, host), 'snippet.sh')]),
    async close() {
      await pages.close()
      await rm(FOLDER, { recursive: true, force: true })
    },
  }
}

/** Writes files that speak to the server at `host` in place of that of the documentation. Gives their folder. */
async function written(name, files, host) {
  const folder = join(FOLDER, name)
  await mkdir(folder, { recursive: true })
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text.replaceAll('127.0.0.1:8000', host))
  return folder
}

function started(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more))
  const ended = new Promise((resolve) => child.once('exit', resolve))
  return {
    output: async () => text,
    click: async () => undefined,
    async end() {
      try {
        // The children of a shell as well.
        process.kill(-child.pid)
      } catch {
        // It has ended by itself.
      }
      await ended
    },
  }
}

const run = promisify(execFile)

/** What the server's API answers, asked by curl as a reader would. */
export async function api(url, method, body) {
  const { stdout } = await run('curl', ['-sS', '--max-time', '10', `${url}/api/${method}`, '-d', JSON.stringify(body)])
  return JSON.parse(stdout).result
}

/** Installs Centrifugo's clients, where they are not. */
export async function clientsInstalled() {
  await run(here('../../../conformance/clients/setup.sh'), [CLIENTS])
}
