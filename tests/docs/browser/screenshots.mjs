// Writes pictures of a page of each kind, for people to look at: light, dark, and narrow. Arguments: the directory, and the program (the debug
// build without). With `--readme FILE`, writes the picture of README.md too.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withDemonstration } from './demonstration.mjs'
import { Findings } from './findings.mjs'
import { eachKind } from './kinds.mjs'
import { NARROW, Visits, WIDE } from './visit.mjs'

const VARIANTS = [
  { name: 'light', theme: 'light', width: WIDE },
  { name: 'dark', theme: 'dark', width: WIDE },
  { name: 'narrow', theme: 'light', width: NARROW },
]
/** Pages can be very long: the rest looks like the beginning. */
const MAX_HEIGHT = 2400

const arguments_ = process.argv.slice(2)
const option = arguments_.indexOf('--readme')
const [, picture] = option < 0 ? [] : arguments_.splice(option, 2)
const [directory, program = 'target/debug/lrs-gateway'] = arguments_
if (!directory) {
  console.error('usage: screenshots.mjs DIRECTORY [PROGRAM] [--readme FILE]')
  process.exit(2)
}

await mkdir(directory, { recursive: true })
await withDemonstration(program, async (browser, demonstration) => {
  const visits = new Visits(browser, demonstration, new Findings())
  for (const { name, theme, width } of VARIANTS) {
    await eachKind(visits, { theme, width }, async (page, kind) => {
      await page.waitForTimeout(200)
      const height = Math.min(await page.evaluate(() => document.documentElement.scrollHeight), MAX_HEIGHT)
      await page.setViewportSize({ width, height: Math.max(height, 800) })
      await page.screenshot({ path: join(directory, `${kind}-${name}.png`) })
    })
  }
  if (picture) {
    await visits.open(async page => {
      await page.setViewportSize({ width: 1040, height: 600 })
      await page.goto(visits.base)
      await page.screenshot({ path: picture })
    })
  }
  for (const message of visits.findings.since(0)) console.log(message)
})
