// Pages behind a proxy that serves the gateway below a path.
import { createServer, request } from 'node:http'
import { eachKind } from './kinds.mjs'
import { tryPage } from './try_page.mjs'

const PREFIX = '/lrs'

export async function pathPrefix(visits) {
  const proxy = await startProxy(visits.demonstration.url)
  const base = `http://127.0.0.1:${proxy.address().port}${PREFIX}/docs/`
  try {
    const start = await fetch(base.slice(0, -1))
    if (start.url !== base) visits.findings.add('path prefix', { page: `${PREFIX}/docs` }, `leads to ${start.url}`)
    await eachKind(visits, { base }, async page => {
      const links = await page.$$eval('a[href], link[href], script[src], form[action]', elements => elements.map(({ href, src, action }) => href || src || action))
      for (const link of links) {
        const { origin, pathname } = new URL(link)
        if (origin === new URL(base).origin && !pathname.startsWith(`${PREFIX}/`)) {
          visits.findings.add('path prefix', { page: visits.name(page.url()) }, `leads out of ${PREFIX}: ${pathname}`)
        }
      }
    })
    await tryPage(visits, { base, circumstance: `below ${PREFIX}` })
    await visits.open(async page => {
      await page.goto(`${base}search?q=postcode`)
      await page.waitForSelector('#searchResults a', { timeout: 5_000 })
      await Promise.all([page.waitForNavigation(), page.click('#searchResults a')])
      if (!page.url().startsWith(base)) visits.findings.add('path prefix', { page: `${PREFIX}/docs/search` }, `a result leads to ${page.url()}`)
    }, { base })
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
}

/** Starts a proxy that removes the prefix. Other paths are not the gateway's. */
function startProxy(target) {
  const server = createServer((incoming, outgoing) => {
    if (!incoming.url.startsWith(`${PREFIX}/`)) return outgoing.writeHead(404).end('Not below the prefix.')
    const options = { method: incoming.method, headers: incoming.headers }
    const call = request(target + incoming.url.slice(PREFIX.length), options, response => {
      outgoing.writeHead(response.statusCode, response.headers)
      response.pipe(outgoing)
    })
    call.on('error', () => outgoing.destroy())
    incoming.pipe(call)
  })
  return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server)))
}
