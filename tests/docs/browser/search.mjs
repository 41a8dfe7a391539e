// The search, with the keyboard alone.
import { tabTo } from './keyboard.mjs'

/** What readers search for, and what the address or the text of the first result contains. */
const SEARCHES = [
  ['WSEC0208', /WSEC0208|lrs-codes/i],
  ['postcode', /post ?code|field/i],
  ['certificate expires', /certificate|operations|metrics|tls|alert/i],
  ['stale_version', /stale_version/i],
  ['obtain ULN', /obtain/i],
]

const RESULT = '#searchResults a'

export async function search(visits) {
  for (const [terms, expected] of SEARCHES) {
    await visits.open(async page => {
      const add = text => visits.findings.add('search', { page: visits.name(page.url()), element: `"${terms}"` }, text)
      await page.goto(visits.base)
      await tabTo(page, '[type=search]')
      await page.keyboard.type(terms)
      await page.keyboard.press('Enter')
      try {
        await page.waitForSelector(RESULT, { timeout: 5_000 })
      } catch {
        add('has no result')
        return
      }
      const result = await page.$eval(RESULT, link => ({ href: link.getAttribute('href'), text: link.closest('li, article, div').innerText }))
      if (!expected.test(result.href + ' ' + result.text)) add(`the first result is ${result.href}: ${result.text}`)
      await tabTo(page, RESULT)
      await Promise.all([page.waitForNavigation(), page.keyboard.press('Enter')])
      if (!(await page.$('h1'))) add(`the first result leads to ${page.url()}, which is no page`)
    })
  }
  await hostileTerms(visits)
}

/** What a reader types is text: in the field, in the page and in the address. */
async function hostileTerms(visits) {
  await visits.open(async page => {
    const terms = '"><img src=x onerror=alert(1)>&amp;</script><b>'
    await page.goto(`${visits.base}search?q=${encodeURIComponent(terms)}`)
    await page.waitForTimeout(300)
    const { value, elements } = await page.evaluate(() => ({
      value: document.querySelector('[type=search]').value,
      elements: document.querySelectorAll('main img, main b, [onerror]').length,
    }))
    const add = text => visits.findings.add('search', { page: visits.name(page.url()) }, text)
    if (elements) add('the terms became elements of the page')
    if (value !== terms) add(`the field has ${JSON.stringify(value)}`)
  })
}
