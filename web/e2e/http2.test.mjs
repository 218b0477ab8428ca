import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { after, before, test } from 'node:test'
import { openBrowser, openTab } from './browser.mjs'
import { serverUnderTest } from './server.mjs'

const errors = []
let server, browser

before(async () => {
  // Its certificate is made at the start; Node and Chromium are told to take it.
  server = await serverUnderTest({ tls: true })
  await server.start()
  browser = await openBrowser(['--ignore-certificate-errors'])
})

after(async () => {
  await browser?.close()
  await server?.stop()
})

test('Chromium has page and WebSocket on one HTTP/2 connection', async (t) => {
  if (!server.canRestart) return t.skip('ANTIPHON_BIN is not set')
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await openTab(context, `${server.url}/plain.html`, errors)
  await page.getByRole('status').filter({ hasText: /^Connected\.$/ }).waitFor()
  const protocols = await page.evaluate(() =>
    [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].map((entry) => entry.nextHopProtocol),
  )
  assert.deepEqual([...new Set(protocols)], ['h2'])
  const metrics = await page.evaluate(() => fetch('/metrics').then((answer) => answer.text()))
  // An upgrade of HTTP/1.1 is answered 101, an extended CONNECT 200.
  const sockets = metrics.split('\n').filter((line) => /^antiphon_http_requests_total.*route="raw"/.test(line))
  assert.equal(sockets.length, 1, sockets.join('\n'))
  assert.match(sockets[0], /status="200"/)
  assert.match(metrics, /^antiphon_multiplexed_connections_total 1$/m)
  assert.deepEqual(errors, [])
})

test("Node's http2 opens a WebSocket by extended CONNECT", async () => {
  const session = connect(server.url, { rejectUnauthorized: false })
  try {
    await new Promise((resolve, reject) => session.once('remoteSettings', resolve).once('error', reject))
    assert.equal(session.remoteSettings.enableConnectProtocol, true)
    const stream = session.request({
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': '/echo',
      ':authority': new URL(server.url).host,
      'sec-websocket-version': '13',
    })
    const status = await new Promise((resolve, reject) => stream.once('response', (headers) => resolve(headers[':status'])).once('error', reject))
    assert.equal(status, 200)
    // "hi", masked with zeros.
    stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
    const echo = await new Promise((resolve) => stream.once('data', resolve))
    assert.deepEqual([...echo], [0x81, 0x02, 0x68, 0x69])
    // A Close with code 1000 is answered, and the stream ends.
    stream.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]))
    const close = await new Promise((resolve) => stream.once('data', resolve))
    assert.deepEqual([...close], [0x88, 0x02, 0x03, 0xe8])
    await new Promise((resolve) => stream.once('end', resolve).resume())
    stream.end()
  } finally {
    session.close()
  }
})
