// Checks the documentation in Chromium against a demonstration. Arguments: the program, and the names of the checks to run (all without).
import { writeFile } from 'node:fs/promises'
import { crawl } from './crawl.mjs'
import { withDemonstration } from './demonstration.mjs'
import { Findings } from './findings.mjs'
import { keyboard } from './keyboard.mjs'
import { notFound } from './not_found.mjs'
import { pathPrefix } from './path_prefix.mjs'
import { printing } from './printing.mjs'
import { scriptless } from './scriptless.mjs'
import { search } from './search.mjs'
import { tryPage } from './try_page.mjs'
import { Visits } from './visit.mjs'

/** Findings of a check that are printed. All are in the file. */
const PRINTED = 60
const FILE = 'target/docs/findings.txt'

const CHECKS = { crawl, keyboard, search, tryPage, printing, notFound, pathPrefix, scriptless }

const [program, ...names] = process.argv.slice(2)
const unknown = names.filter(name => !(name in CHECKS))
if (!program || unknown.length) {
  console.error(`usage: run.mjs PROGRAM [CHECK…]. Checks: ${Object.keys(CHECKS).join(', ')}`)
  process.exit(2)
}

const findings = new Findings()
await withDemonstration(program, async (browser, demonstration) => {
  const visits = new Visits(browser, demonstration, findings)
  for (const [name, check] of Object.entries(CHECKS)) {
    if (names.length && !names.includes(name)) continue
    const [started, before] = [Date.now(), findings.count]
    try {
      await check(visits)
    } catch (error) {
      findings.add(name, { page: 'the check' }, `did not finish: ${error.message.split('\n')[0]}`)
    }
    const found = findings.since(before)
    console.log(`${name}: ${found.length ? `${found.length} findings` : 'passed'}, ${((Date.now() - started) / 1000).toFixed(0)} s`)
    for (const message of found.slice(0, PRINTED)) console.log(`   ${message}`)
    if (found.length > PRINTED) console.log(`   … and ${found.length - PRINTED} more in ${FILE}`)
  }
  await writeFile(FILE, findings.since(0).map(message => `${message}\n`).join(''))
})
process.exit(findings.count ? 1 : 0)
