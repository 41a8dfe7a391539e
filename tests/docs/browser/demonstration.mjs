// A demonstration (`lrs-gateway demo`) on a free port of this machine, and a browser.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { chromium } from './packages.mjs'

const START_TIMEOUT = 60_000

/** Starts a demonstration and a browser, calls `use` with both, and stops both, whatever fails. */
export async function withDemonstration(program, use) {
  const demonstration = await startDemonstration(program)
  try {
    const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] })
    try {
      return await use(browser, demonstration)
    } finally {
      await browser.close()
    }
  } finally {
    await demonstration.stop()
  }
}

/** Starts a demonstration. Returns its address, its tokens, and a function that stops it. */
async function startDemonstration(program) {
  const directory = await mkdtemp(join(tmpdir(), 'lrs-gateway-docs-'))
  const accessFile = join(directory, 'access.json')
  const options = ['demo', '--listen', '127.0.0.1:0', '--unlimited', '--token-file', accessFile]
  const child = spawn(program, options, { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit').catch(() => {}) // also if the program cannot be started
  const stop = async () => {
    child.kill()
    await exited
    await rm(directory, { recursive: true })
  }
  try {
    // The file is complete when the first line is there.
    const line = once(createInterface({ input: child.stdout }), 'line', { signal: AbortSignal.timeout(START_TIMEOUT) })
    const hasStarted = line.then(() => true)
    hasStarted.catch(() => {}) // if it has ended, this fails later, and that is not of interest
    if (!(await Promise.race([hasStarted, exited.then(() => false)]))) throw new Error('it has ended')
    const access = JSON.parse(await readFile(accessFile, 'utf8'))
    return { url: access.gateway, token: access.learningProvider, stop }
  } catch (error) {
    child.kill('SIGKILL')
    await stop()
    throw new Error(`the demonstration did not start: ${error.message}`)
  }
}
