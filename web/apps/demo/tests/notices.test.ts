import { expect, test, vi } from 'vitest'
import { effectScope } from 'vue'
import { curlLine, readNotice } from '../src/rooms/notifications/notice'
import { useReadMarks } from '../src/rooms/notifications/useReadMarks'
import { emptyMemory } from './memory'

const read = (data: unknown) => readNotice({ channel: 'notifications', data, offset: 7, time: 9 })

test.each([
  [{ severity: 'critical', title: 'Fire', text: 'In the hall' }, { severity: 'critical', title: 'Fire', text: 'In the hall' }],
  [{ severity: 'loud', title: 'Fire' }, { severity: 'info', title: 'Fire', text: '' }],
  ['Fire', { severity: 'info', title: 'Fire', text: '' }],
  [{ heat: 1 }, { severity: 'info', title: '{"heat":1}', text: '' }],
  [null, { severity: 'info', title: 'null', text: '' }],
])('%o is the notification %o', (data, notice) => {
  expect(read(data)).toEqual({ key: '7@9', at: 9, ...notice })
})

test('the line for a shell quotes what is in it', () => {
  const line = curlLine('http://localhost:8000', 'notifications', { severity: 'info', title: "it's late", text: '' })
  expect(line).toBe(
    `curl -X POST http://localhost:8000/api/publish -d '{"channel":"notifications","data":{"severity":"info","title":"it'\\''s late","text":""}}'`,
  )
})

test('what was read in one tab is read in the others, and after a reload', async () => {
  const scope = effectScope()
  const { browser } = emptyMemory()
  const open = () => new BroadcastChannel('tabs of the test')
  const tab = () => {
    const marks = scope.run(() => useReadMarks(browser, open))
    if (marks === undefined) throw new Error('the scope did not run')
    return marks
  }
  const [first, second] = [tab(), tab()]
  first.mark(['1@1', '2@2'])
  expect(first.isRead('1@1')).toBe(true)
  await vi.waitFor(() => { expect(second.isRead('2@2')).toBe(true) })
  second.mark(['3@3'])
  const third = tab()
  expect(['1@1', '2@2', '3@3', '4@4'].map((key) => third.isRead(key))).toEqual([true, true, true, false])
  scope.stop()
})
