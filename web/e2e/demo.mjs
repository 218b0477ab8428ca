/** How a person uses the demo. */

export const panel = (page) => page.getByRole('complementary', { name: 'Connection' })
export const log = (page) => page.getByRole('log')
export const isConnected = (page, over = 'WebSocket') => panel(page).getByRole('status').filter({ hasText: `Connected over ${over}` }).waitFor({ timeout: 30_000 })
export const texts = (page) => page.locator('.log .text').allTextContents()

/** Opens the connection's drawer. */
export async function openPanel(page) {
  const button = panel(page).getByRole('button', { name: 'Connection' })
  if ((await button.getAttribute('aria-expanded')) === 'false') await button.click()
}

export async function enter(page, name) {
  await page.getByLabel('Your name').fill(name)
  await page.keyboard.press('Enter')
}

/** Under another name than the one that the browser remembers. */
export async function enterAs(page, name) {
  await page.getByRole('button', { name: /^Change your name/ }).click()
  await enter(page, name)
}

export async function write(page, text) {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text)
  await page.keyboard.press('Enter')
}

export const reads = (page, text) => log(page).getByText(text, { exact: true }).waitFor({ timeout: 30_000 })

/** Publishes by the server API, as a service would. */
export async function publish(url, channel, data) {
  const answer = await fetch(`${url}/api/publish`, { method: 'POST', body: JSON.stringify({ channel, data }) })
  if (!answer.ok) throw new Error(`publish answered ${answer.status}`)
}
