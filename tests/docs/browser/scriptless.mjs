// Pages without scripts: everything can be read and reached.
import { eachKind } from './kinds.mjs'
import { NARROW } from './visit.mjs'

/** Pages whose purpose is a script. They say so. */
const NEED_SCRIPTS = ['try', 'search']

export async function scriptless(visits) {
  const texts = {}
  const read = page => page.evaluate(() => (document.querySelector('main') ?? document.body).innerText.replace(/\s+/g, ' ').trim())
  await eachKind(visits, { width: NARROW }, async (page, kind) => (texts[kind] = await read(page)))
  await eachKind(visits, { javaScriptEnabled: false, width: NARROW }, async (page, kind) => {
    const add = (element, text) => visits.findings.add('without scripts', { page: visits.name(page.url()), element }, text)
    const text = await read(page)
    if (NEED_SCRIPTS.includes(kind)) {
      if (!/JavaScript/i.test(text)) add('main', 'does not say that it needs JavaScript')
    } else if (missing(texts[kind], text)) {
      add('main', `lacks text: "${missing(texts[kind], text)}"`)
    }
    // The navigation opens without a script.
    const menu = await page.$('[popovertarget]:visible')
    if (menu) await menu.click()
    const isNavigable = await page.evaluate(() => [...document.querySelectorAll('nav a')].some(link => link.checkVisibility()))
    if (!isNavigable) add('nav', 'shows no links')
  })
}

/** Returns a sentence of the first text that the second does not have. */
function missing(text, other) {
  return text.split('. ').find(sentence => sentence.length > 20 && !other.includes(sentence))?.slice(0, 80)
}
