// Every page that the first page leads to, and the checks that every page must pass.
import { COLOUR_RULES, WIDTH_RULES, accessibility, frame, inlineCode, sidewaysScrolling } from './every_page.mjs'
import { KINDS } from './kinds.mjs'
import { NARROW, WIDE } from './visit.mjs'

/** Pages that are open at once. */
const WORKERS = 3

/** Directives without which the policy lets a page load or run what is not the gateway's. */
const POLICY = ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"]

/** Visits every page. Returns the addresses of the pages. */
export async function crawl(visits) {
  const crawler = new Crawler(visits)
  await Promise.all(Array.from({ length: WORKERS }, () => crawler.work()))
  await crawler.checkIndex()
  crawler.checkFragments()
  const { pages, files } = crawler
  console.log(`   ${pages.size} pages, ${files} files, ${crawler.outside.size} addresses of other sites (not requested)`)
  return [...pages.keys()]
}

class Crawler {
  pages = new Map() // address: the identifiers of its elements
  outside = new Set()
  files = 0
  #known = new Set()
  #queue = []
  #fragments = []
  #busy = 0

  constructor(visits) {
    this.visits = visits
    this.#add(visits.base, null)
  }

  async work() {
    await this.visits.open(async page => {
      while (this.#queue.length || this.#busy) {
        const next = this.#queue.shift()
        if (!next) {
          await new Promise(resolve => setTimeout(resolve, 20))
          continue
        }
        this.#busy++
        try {
          await this.#visit(page, next)
        } catch (error) {
          this.#report('crawl', next.url, { text: error.message.split('\n')[0] })
        } finally {
          this.#busy--
        }
      }
    })
  }

  #report(check, url, { element, text, theme, width }) {
    this.visits.findings.add(check, { page: this.visits.name(url), element, theme, width }, text)
  }

  #add(url, from, element) {
    const target = new URL(url)
    if (target.origin !== new URL(this.visits.base).origin) {
      this.outside.add(target.href)
      return
    }
    const fragment = decodeURIComponent(target.hash.slice(1))
    target.hash = ''
    if (fragment) this.#fragments.push({ from, to: target.href, fragment, element })
    if (this.#known.has(target.href)) return
    this.#known.add(target.href)
    this.#queue.push({ url: target.href, from, element })
  }

  async #visit(page, { url, from, element }) {
    const head = await fetch(url, { redirect: 'follow', headers: { Accept: 'text/html,*/*;q=0.8' } })
    const type = head.headers.get('content-type') ?? ''
    await head.arrayBuffer()
    if (head.status !== 200) {
      this.#report('links', from ?? url, { element, text: `leads to ${this.visits.name(url)}, which answers ${head.status}` })
      return
    }
    if (!type.startsWith('text/html')) {
      this.files++
      return
    }
    if (head.redirected) {
      // The page is visited at its own address.
      this.#add(head.url, from, element)
      return
    }
    this.#checkPolicy(url, head.headers)
    await page.setViewportSize({ width: WIDE, height: 900 })
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto(url, { waitUntil: 'load' })
    await this.#checkPage(page, url)
    const { links, ids } = await page.evaluate(() => ({
      links: [...document.querySelectorAll('a[href], area[href]')].map(({ href, outerHTML }) => ({ href, outerHTML: outerHTML.slice(0, 120) })),
      ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
    }))
    this.pages.set(url, new Set(ids))
    for (const { href, outerHTML } of links) {
      if (/^https?:/.test(href)) this.#add(href, url, outerHTML)
      else this.#report('links', url, { element: outerHTML, text: 'is no address of a page' })
    }
  }

  #checkPolicy(url, headers) {
    const policy = headers.get('content-security-policy') ?? ''
    for (const directive of POLICY) {
      if (!policy.includes(directive)) this.#report('policy', url, { text: `Content-Security-Policy has no ${directive}` })
    }
    if (/unsafe-|\*|https?:/.test(policy)) this.#report('policy', url, { text: `Content-Security-Policy is too wide: ${policy}` })
  }

  async #checkPage(page, url) {
    const run = async (check, found, place = {}) => {
      for (const finding of await found) this.#report(check, url, { ...finding, ...place })
    }
    await run('frame', frame(page))
    await run('inline code', inlineCode(page))
    const hasAccessibilityCheck = this.#isChecked(url)
    if (hasAccessibilityCheck) {
      await run('axe', accessibility(page), { theme: 'light', width: WIDE })
      await page.emulateMedia({ colorScheme: 'dark' })
      await run('axe', accessibility(page, COLOUR_RULES), { theme: 'dark', width: WIDE })
    }
    await page.setViewportSize({ width: NARROW, height: 800 })
    await run('width', sidewaysScrolling(page), { width: NARROW })
    if (hasAccessibilityCheck) await run('axe', accessibility(page, WIDTH_RULES), { theme: 'dark', width: NARROW })
  }

  /**
   * The program writes the pages of operations and problems, all in the same way: axe looks at a third of them, chosen by their paths, and at
   * all other pages.
   */
  #isChecked(url) {
    const path = url.slice(this.visits.base.length)
    if (!/^(reference|problems)\/./.test(path) || Object.values(KINDS).includes(path)) return true
    return [...path].reduce((sum, character) => sum + character.codePointAt(0), 0) % 3 === 0
  }

  /** Links lead to every page that the search knows. */
  async checkIndex() {
    const { pages } = await (await fetch(`${this.visits.base}search-index.json`)).json()
    for (const [path] of pages) {
      if (!this.pages.has(this.visits.base + path)) this.#report('links', this.visits.base + path, { text: 'no link leads to this page' })
    }
  }

  /** Links into a page lead to an element that exists. */
  checkFragments() {
    for (const { from, to, fragment, element } of this.#fragments) {
      const ids = this.pages.get(to)
      // The page to try calls shows the operation that the fragment names.
      const isKnown = ids?.has(fragment) || ids?.has(`try-${fragment}`)
      if (ids && !isKnown) this.#report('links', from, { element, text: `leads to #${fragment}, which ${this.visits.name(to)} does not have` })
    }
  }
}
