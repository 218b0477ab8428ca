/**
 * How each block of the pages is run, in their order. A block that is not here fails the test, and so does a line without a block.
 *
 * - `has`: what the block begins with.
 * - `runs`: in a `page`, as a component of a `vue` page, in `node`, `python` or `shell`. Or `not`: why it is not run.
 * - `hears`: what is published in this channel, by curl, is on the page or the output; `{"text": TOKEN}`, where `data` gives nothing else.
 * - `shows`: this is on the page or the output.
 * - `clicks`: the button that is pressed before.
 * - `says`: with this text it has published in `lobby`.
 * - `after`: the block that it continues; `before`: what a reader has of their own by then.
 * - `app`: the block that is its `App.vue`.
 * - `answers`: what routes of the reader's own server say.
 */
export const snippets = {
  'clients.md': [
    { has: 'curl http', runs: 'shell', says: 'hello from curl' },
    { has: 'curl -N', runs: 'shell', hears: 'lobby' },
    { has: "const lobby = new WebSocket('ws://127.0.0.1:8000/raw/lobby')", runs: 'page', hears: 'lobby', says: 'hello from a WebSocket' },
    { has: "import { connect } from '@antiphon/client'\n\nconst client = connect('/')", runs: 'page', hears: 'lobby', says: 'hello from JavaScript' },
    { has: '// main.js', runs: 'page', app: '<!-- App.vue -->', hears: 'lobby' },
    { has: '<!-- App.vue -->', runs: 'vue', hears: 'lobby', clicks: 'Say hello', says: 'hello from Vue' },
    { has: "import { connect } from '@antiphon/client'\nimport { useEffect", runs: 'page', hears: 'lobby', clicks: 'Say hello', says: 'hello from React' },
    { has: "import { connect } from '@antiphon/client'\n\nconst client = connect('http://127.0.0.1:8000')", runs: 'node', hears: 'lobby', says: 'hello from Node', shows: 'hello from Node' },
    { has: 'pip install', not: 'it asks a registry; conformance/clients/setup.sh has installed the pinned version' },
    { has: 'import asyncio', runs: 'python', hears: 'lobby', says: 'hello from Python' },
  ],
  'javascript.md': [
    { has: "import { connect } from '@antiphon/client'", runs: 'node', shows: 'connected http_stream' },
    { has: "const room = client.channel('chat:lobby')", runs: 'node', after: "import { connect } from '@antiphon/client'", before: 'console.log("people")', shows: 'undefined { text: \'hello\' }' },
    { has: 'for await', runs: 'node', after: "import { connect } from '@antiphon/client'", hears: 'news' },
    {
      has: 'interface Channels',
      runs: 'page',
      before: "import { connect } from '@antiphon/client'\nconst Alert = { parse: (data: unknown) => { console.log(JSON.stringify(data)); return data as { level: number } } }",
      then: "await client.channel('alerts').subscribe()",
      hears: 'alerts',
      data: (text) => ({ level: 3, text }),
    },
    {
      has: "connect('/', { token",
      runs: 'page',
      before: "import { connect } from '@antiphon/client'\nconst hears = (client: ReturnType<typeof connect>) => client.on('state', (state) => console.log('state', state.name))",
      wraps: (code) => `hears(${code.trim()})`,
      answers: { '/token': 'token' },
      shows: 'state connected',
    },
  ],
  'browser.md': [
    { has: 'const lobby = new WebSocket', runs: 'page', hears: 'lobby', shows: 'hello' },
    { has: 'const news = new EventSource', runs: 'page', hears: 'weather' },
    { has: 'import { Centrifuge }', runs: 'page', hears: 'chat:lobby', shows: 'Ada' },
    {
      has: 'const { publications, offset, epoch }',
      runs: 'page',
      after: 'import { Centrifuge }',
      then: 'console.log(publications.length, offset, epoch, Object.keys(clients).length)',
      shows: /[1-9] \d+ \w+ \d+/,
    },
  ],
  'vue.md': [
    { has: '// main.ts', runs: 'page', app: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { useChannel } from '@antiphon/vue'\n\nconst { messages, isLoading", hears: 'chat:lobby' },
    { has: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { useChannel } from '@antiphon/vue'\n\nconst { messages, isLoading", runs: 'vue', hears: 'chat:lobby' },
    {
      has: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { useChannel } from '@antiphon/vue'\n\nconst { value",
      runs: 'vue',
      answers: { '/votes.json': ({ position }) => JSON.stringify({ state: { Ada: 41 }, position }) },
      of: 'votes',
      hears: 'votes',
      data: (text) => ({ for: text }),
      shows: 'Ada: 41',
    },
    { has: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { usePresence", runs: 'vue', shows: /1 connections, 1 users[^]*somebody/ },
    { has: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { useChannel, useHistory", runs: 'vue', hears: 'chat:lobby', first: ['the oldest', 'an older', 'an old'], clicks: 'Older', shows: 'the oldest' },
    { has: "<!-- App.vue -->\n<script setup lang=\"ts\">\nimport { useConnection", runs: 'vue', shows: /Connected over websocket, \d+\.\d ms/ },
    { has: '// channels.ts', runs: 'vue', as: "import { useAlerts } from './snippet.ts'\n\nexport default { setup() { useAlerts(); return () => null } }", hears: 'alerts', data: (text) => ({ level: text }) },
    { has: "import { connect } from '@antiphon/client'\nimport { useChannel }", runs: 'node', hears: 'news' },
  ],
}
