// Unknown pages.
import { request } from 'node:http'
import { accessibility, frame, sidewaysScrolling } from './every_page.mjs'
import { expectProblem, NARROW } from './visit.mjs'

const UNKNOWN = ['no-such-page', 'guides/no-such-page', 'problems/no_such_code', 'reference/noSuchOperation', 'files/no-such-file', 'a/b/c/d']
/** Names that must not lead out of the documentation. */
const HOSTILE = [
  '../Cargo.toml', '..%2fCargo.toml', '%2e%2e/Cargo.toml', '%2e%2e%2fCargo.toml', 'files/../../Cargo.toml',
  'files/%2e%2e/%2e%2e/etc/passwd', 'files//etc/passwd', 'batches%00', '%00', 'batches.', 'batches%20',
]

export async function notFound(visits) {
  for (const path of UNKNOWN) {
    await visits.open(async page => {
      const url = visits.base + path
      const add = (element, text) => visits.findings.add('not found', { page: visits.name(url), element }, text)
      expectProblem(page, path)
      const response = await page.goto(url)
      if (response.status() !== 404) add(undefined, `the answer is ${response.status()}`)
      if (!(await page.$('[type=search]'))) return add(undefined, 'has no search')
      for (const { element, text } of [...(await frame(page)), ...(await accessibility(page))]) add(element, text)
      await page.setViewportSize({ width: NARROW, height: 800 })
      for (const { element, text } of await sidewaysScrolling(page)) add(element, text)
      const home = await page.$eval('header a', link => link.href)
      if ((await fetch(home)).status !== 200) add('the first link of the header', `leads to ${home}, which is no page`)
    })
  }
  for (const accept of ['application/problem+json', 'application/json', '*/*']) {
    const answer = await fetch(`${visits.base}no-such-page`, { headers: { Accept: accept } })
    const type = answer.headers.get('content-type')
    const place = { page: '/docs/no-such-page', circumstance: `Accept: ${accept}` }
    if (answer.status !== 404 || !type?.startsWith('application/problem+json')) visits.findings.add('not found', place, `the answer is ${answer.status} ${type}`)
  }
  for (const path of HOSTILE) {
    const status = await rawStatus(visits.base, path)
    if (![400, 404].includes(status)) visits.findings.add('not found', { page: `/docs/${path}` }, `the answer is ${status}`)
  }
}

/** Sends a path as it is: `fetch` would resolve it first. */
function rawStatus(base, path) {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const call = request({ hostname, port, path: `/docs/${path}`, headers: { Accept: 'text/html' } }, response => {
      response.resume()
      resolve(response.statusCode)
    })
    call.on('error', reject).end()
  })
}
