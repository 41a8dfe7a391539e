// Pages in the browser. Each is watched while it is open: no request leaves the gateway, no script fails, and nothing violates the policy.

export const WIDE = 1280
export const NARROW = 375
const HEIGHT = 900

/** The browser, the gateway and the findings of a run. */
export class Visits {
  constructor(browser, demonstration, findings) {
    Object.assign(this, { browser, demonstration, findings })
    this.base = `${demonstration.url}/docs/`
  }

  /** Opens an empty page, and closes it after `use`. */
  async open(use, { theme = 'light', width = WIDE, javaScriptEnabled = true, base = this.base } = {}) {
    const options = { viewport: { width, height: HEIGHT }, colorScheme: theme, javaScriptEnabled, reducedMotion: 'reduce' }
    const context = await this.browser.newContext(options)
    try {
      const page = await context.newPage()
      page.setDefaultTimeout(15_000)
      this.#watch(page, base)
      return await use(page)
    } finally {
      await context.close()
    }
  }

  /** Returns the name of a page in messages: its path. */
  name(url) {
    const { pathname, search } = new URL(url)
    return pathname + search
  }

  #watch(page, base) {
    const report = (check, text) => this.findings.add(check, { page: this.name(page.url() === 'about:blank' ? base : page.url()) }, text)
    // Below a path prefix, everything that the pages request is below it.
    const root = new URL('..', base).href
    page.on('request', request => {
      if (!request.url().startsWith(root) && !request.url().startsWith('data:')) report('requests', `leaves the gateway: ${request.url()}`)
    })
    page.on('console', message => {
      if (['error', 'warning'].includes(message.type()) && !isExpected(page, message)) report('console', message.text())
    })
    page.on('pageerror', error => report('console', error.message))
  }
}

/** The addresses whose answer is a problem on purpose: browsers log each of them. */
const EXPECTED = 'expectedProblems'

export function expectProblem(page, path) {
  ;(page[EXPECTED] ??= []).push(path)
}

function isExpected(page, message) {
  const isAnswer = message.text().startsWith('Failed to load resource')
  return isAnswer && (page[EXPECTED] ?? []).some(path => message.location().url.endsWith(path))
}
