// One page of each kind: the checks that take long look at these.
import { expectProblem } from './visit.mjs'

/** Path below `/docs/` by the kind of page. */
export const KINDS = {
  home: '',
  guide: 'guides/getting-started',
  page: 'batches',
  settings: 'settings',
  reference: 'reference/',
  operation: 'reference/obtainUln',
  enumerations: 'reference/enumerations',
  problems: 'problems/',
  problem: 'problems/stale_version',
  try: 'try',
  search: 'search?q=certificate',
}

/** Calls `use` with a page of each kind, or of the kinds that are named. */
export async function eachKind(visits, options, use, kinds = Object.keys(KINDS)) {
  for (const kind of kinds) {
    await visits.open(async page => {
      expectProblem(page, KINDS[kind]) // reported below
      const url = (options.base ?? visits.base) + KINDS[kind]
      // Scripts have then loaded what they show, such as results of the search.
      const response = await page.goto(url, { waitUntil: 'networkidle' })
      if (response.status() !== 200) {
        visits.findings.add('pages', { page: visits.name(url) }, `there is no page of the kind "${kind}": the answer is ${response.status()}`)
        return
      }
      await use(page, kind)
    }, options)
  }
}
