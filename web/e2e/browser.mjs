import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const FLAGS = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']

const UNANSWERED = /^WebSocket connection to '[^']+' failed|^Failed to load resource: net::ERR_/

export const SIZE = { width: 1040, height: 680 }
export const PHONE = { width: 390, height: 780 }

/** Opens Chromium; `CHROMIUM` names another binary than the usual one. */
export function openBrowser(flags = []) {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', chromiumSandbox: false, args: [...FLAGS, ...flags] })
}

/**
 * Opens a tab and notes every error that its console shows. Chromium itself writes one for each WebSocket and each
 * request that gets no answer, so those, and only those, are expected while `outage.on` is true. Everything else that is logged goes to `log`.
 */
export async function openTab(context, url, errors, outage = { on: false }, log = () => {}) {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  page.on('pageerror', (error) => errors.push(`${page.url()}: ${error.stack ?? error.message}`))
  page.on('console', (message) => {
    if (message.type() !== 'error') return log(message.text())
    if (outage.on && UNANSWERED.test(message.text())) return
    errors.push(`${page.url()}: ${message.text()}`)
  })
  await page.goto(url)
  return page
}

/** Saves a picture of the page into the folder E2E_SCREENSHOTS, if that is set. */
export async function picture(page, name) {
  const folder = process.env.E2E_SCREENSHOTS
  if (!folder) return
  await mkdir(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
