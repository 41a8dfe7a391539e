// The page to try calls, with the keyboard alone. The token is in the memory of the page, and nowhere else.
import { WIDTH_RULES, accessibility, sidewaysScrolling } from './every_page.mjs'
import { tabTo } from './keyboard.mjs'
import { KINDS } from './kinds.mjs'
import { NARROW, WIDE, expectProblem } from './visit.mjs'

export async function tryPage(visits, options = {}) {
  const { token } = visits.demonstration
  await visits.open(async page => {
    const add = text => visits.findings.add('try', { page: visits.name(page.url()), circumstance: options.circumstance }, text)
    await page.goto((options.base ?? visits.base) + KINDS.try)
    expectProblem(page, '/v1/learners/find-by-uln')

    await choose(page, 'find-by-uln')
    const refused = await send(page)
    if (!/^401\b/.test(refused.status) || !refused.body.includes('"code"')) add(`a call without a token shows: ${refused.status} ${refused.body}`)
    const advice = await page.$eval('#try-problem a', link => (link.checkVisibility() ? link.href : null))
    if (!advice) add('a problem has no link to what to do about it')
    else if ((await fetch(advice)).status !== 200) add(`what to do about a problem leads to ${advice}, which is no page`)

    await page.reload()
    await tabTo(page, '#try-token')
    await page.keyboard.type(token)
    await choose(page, 'find-by-uln')
    const answered = await send(page)
    if (!/^200\b/.test(answered.status)) add(`an authorised call shows: ${answered.status} ${answered.body}`)
    if (!answered.body.includes('EXACT_MATCH')) add(`an authorised call shows no match: ${answered.body.slice(0, 200)}`)

    await scrollingOfTheAnswer(page, add)
    for (const place of await page.evaluate(placesOf, token)) add(`the token is in ${place}`)
    if ((await page.context().cookies()).length) add('the page sets cookies')
    await page.reload()
    if (await page.$eval('#try-token', field => field.value)) add('the token is still there after a reload')
    await page.goto((options.base ?? visits.base) + KINDS.problems)
    await page.goBack()
    if (await page.$eval('#try-token', field => field.value)) add('the token is still there after the way back')
  }, options)
}

/** Chooses the operation whose path ends so, as a person who types in the list does. */
async function choose(page, end) {
  const options = await page.$$eval('#try-operation option', options => options.map(({ value, textContent }) => ({ value, text: textContent })))
  const paths = await page.$$eval('#try fieldset', fieldsets => fieldsets.map(({ id, dataset }) => ({ id, path: dataset.path })))
  const id = paths.find(({ path }) => path.endsWith(end))?.id.replace(/^try-/, '')
  const option = options.find(({ value }) => value === id)
  if (!option) throw new Error(`no operation has a path that ends with ${end}`)
  if ((await page.$eval('#try-operation', choice => choice.value)) === id) return
  await tabTo(page, '#try-operation')
  await page.keyboard.type(option.text)
  const chosen = await page.$eval('#try-operation', choice => choice.value)
  if (chosen !== id) throw new Error(`typing "${option.text}" chooses ${chosen}`)
}

/** Sends the call, and returns what the page shows. */
async function send(page) {
  await tabTo(page, '#try-send')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => /^\d{3}\b|not answered/.test(document.querySelector('#try-status').textContent))
  return page.evaluate(() => ({ status: document.querySelector('#try-status').textContent, body: document.querySelector('#try-body').textContent }))
}

/** The answer scrolls with the keyboard, at each width. */
async function scrollingOfTheAnswer(page, add) {
  for (const width of [WIDE, NARROW]) {
    await page.setViewportSize({ width, height: 900 })
    for (const { element, text } of [...(await accessibility(page, WIDTH_RULES)), ...(await sidewaysScrolling(page))]) {
      add(`${width} px, with an answer: ${element}: ${text}`)
    }
  }
  if (!(await page.$eval('#try-body', body => body.scrollWidth > body.clientWidth))) throw new Error('the answer must be wider than its box')
  await tabTo(page, '#try-body')
  await page.keyboard.press('ArrowRight')
  try {
    await page.waitForFunction(() => document.querySelector('#try-body').scrollLeft > 0, null, { timeout: 3_000 })
  } catch {
    add('the answer does not scroll with the arrow keys')
  }
  await page.setViewportSize({ width: WIDE, height: 900 })
}

/** Runs in the page: returns the places outside of the page's memory that contain the token. */
async function placesOf(token) {
  const databases = await indexedDB.databases()
  const places = {
    localStorage: JSON.stringify({ ...localStorage }),
    sessionStorage: JSON.stringify({ ...sessionStorage }),
    'a cookie': document.cookie,
    'the address': location.href,
    'the history': JSON.stringify(history.state),
    'the name of the window': globalThis.name,
    'a database': databases.length ? token : '',
    'a cache': (await caches.keys()).length ? token : '',
    // The value of a field is no part of the document's text.
    'the document': document.documentElement.outerHTML,
    'the address of a resource': JSON.stringify(performance.getEntriesByType('resource')),
  }
  return Object.keys(places).filter(place => (places[place] ?? '').includes(token))
}
