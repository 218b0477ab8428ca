/**
 * How each block of the pages is run, in their order. A block that is not here fails the test, and so does a line without a block.
 *
 * - `is`: what the block begins with.
 * - `runs`: in a `page`, as the component of a `vue` page, in `node`, `python` or `shell`. Or `not`: why it is not run.
 * - `after`: the number of the block that it continues, from 0; `files`: of those that it imports.
 * - `before`, `then`: what a reader has of their own around it. `routes`: what their server says,
 *   given a `token` and the `position` of the channel.
 * - `first`: texts that were published in the channel before.
 * - `hears`: what is published in this channel afterwards is on the page or the output; `data` gives what that is, where it is not `{"text": TEXT}`.
 * - `clicks`: the button that is pressed. `shows`: this is then on the page or the output. `says`: this text has been published in the channel.
 * - `channel`: `lobby`, where nothing is said.
 */
export const snippets = {
  'clients.md': [
    { is: 'curl http', runs: 'shell', says: 'hello from curl' },
    { is: 'curl -N', runs: 'shell', hears: true },
    { is: 'const lobby = new WebSocket', runs: 'page', hears: true, says: 'hello from a WebSocket' },
    { is: 'import { connect }', runs: 'page', hears: true, says: 'hello from JavaScript' },
    { is: '// main.js', runs: 'page', files: { 'App.vue': 5 }, hears: true },
    { is: '<!-- App.vue -->', runs: 'vue', hears: true, clicks: 'Say hello', says: 'hello from Vue' },
    { is: 'import { connect }', runs: 'page', hears: true, clicks: 'Say hello', says: 'hello from React' },
    { is: 'import { connect }', runs: 'node', hears: true, says: 'hello from Node', shows: 'hello from Node' },
    { is: 'pip install', not: 'it asks a registry; conformance/clients/setup.sh installs the version that the next block is run with' },
    { is: 'import asyncio', runs: 'python', hears: true, says: 'hello from Python' },
  ],
  'javascript.md': [
    { is: 'import { connect }', runs: 'node', shows: /connected (websocket|http_stream)/ },
    { is: 'const room', runs: 'node', after: 0, then: 'console.log(messages.length, position.epoch, people.length)', shows: /\{ text: 'hello' \}[^]*[1-9] \w+ 1/ },
    { is: 'for await', runs: 'node', after: 0, channel: 'news', hears: true },
    {
      is: 'interface Channels',
      runs: 'page',
      before: "import { connect } from '@antiphon/client'\nconst Alert = { parse: (data) => { console.log(JSON.stringify(data)); return data } }",
      then: "await client.channel('alerts').subscribe()",
      channel: 'alerts',
      hears: true,
    },
    {
      is: "const client = connect('/', { token",
      runs: 'page',
      before: "import { connect } from '@antiphon/client'",
      then: "client.on('state', ({ name }) => console.log(name))",
      routes: { '/token': ({ token }) => token },
      shows: 'connected',
    },
    { is: 'import { share }', runs: 'page', then: "await client.publish('lobby', { text: 'hello from a tab' })", says: 'hello from a tab' },
    { is: '// connection.worker.ts', not: 'the next block runs it, as its worker' },
    {
      is: 'import { share }',
      runs: 'page',
      before: "const userId = 'ada'",
      files: { 'connection.worker.ts': 7 },
      then: "client.channel('lobby').on('message', ({ data }) => console.log(data.text))\nawait client.channel('lobby').subscribe()",
      hears: true,
    },
  ],
  'browser.md': [
    { is: 'const lobby = new WebSocket', runs: 'page', hears: true, shows: 'hello' },
    { is: 'const news = new EventSource', runs: 'page', channel: 'weather', hears: true },
    { is: 'import { Centrifuge }', runs: 'page', channel: 'chat:lobby', hears: true, shows: 'Ada' },
    { is: 'const { publications', runs: 'page', after: 2, then: 'console.log(publications.length, epoch, Object.keys(clients).length)', shows: /[1-9] \w+ \d+/ },
  ],
  'vue.md': [
    { is: '// main.ts', runs: 'page', files: { 'App.vue': 1 }, channel: 'chat:lobby', hears: true },
    { is: '<!-- App.vue -->', runs: 'vue', channel: 'chat:lobby', hears: true, clicks: 'Say hello', says: 'hello' },
    {
      is: '<!-- App.vue -->',
      runs: 'vue',
      channel: 'votes',
      first: ['Ada'],
      routes: { '/votes.json': ({ position }) => JSON.stringify({ state: { Ada: 41 }, position }) },
      data: (text) => ({ for: text }),
      hears: true,
      shows: 'Ada: 41',
    },
    { is: '<!-- App.vue -->', runs: 'vue', shows: /\d connections?, 1 users[^]*somebody/ },
    { is: '<!-- App.vue -->', runs: 'vue', channel: 'chat:garden', first: ['the oldest', 'an older one', 'an old one', 'one more'], clicks: 'Older', shows: 'an older one', hears: true },
    { is: '<!-- App.vue -->', runs: 'vue', shows: /Connected over websocket, \d+\.\d ms/ },
    {
      is: '// channels.ts',
      runs: 'page',
      before: "import { createAntiphon } from '@antiphon/vue'\nimport { createApp } from 'vue'",
      then: "createApp({ setup: () => { useAlerts(); return () => null } }).use(createAntiphon('/')).mount('#app')",
      channel: 'alerts',
      data: (text) => ({ level: text }),
      hears: true,
    },
    { is: 'import { connect }', runs: 'node', channel: 'news', hears: true },
  ],
}
