// Without a mouse: the Tab key reaches everything, in the order of the page, and the focus can be seen.
import { eachKind } from './kinds.mjs'
import { NARROW, WIDE } from './visit.mjs'

/** Text that elements are named with in messages. */
const DESCRIBE = `globalThis.describeElement = element => {
  const text = element.textContent.trim() || element.getAttribute('aria-label') || ''
  return element.localName + (element.id ? '#' + element.id : '') + ' "' + text.slice(0, 40) + '"'
}`

export async function keyboard(visits) {
  for (const width of [WIDE, NARROW]) {
    await eachKind(visits, { width }, async (page, kind) => {
      const place = { page: visits.name(page.url()), width }
      const add = (element, text) => visits.findings.add('keyboard', { ...place, element }, text)
      await walk(page, add)
      // The frame is the same on all pages.
      if (kind === 'home' || kind === 'operation') await skipLink(page, add)
    })
  }
}

/** Presses Tab until the focus has left the page. */
async function walk(page, add) {
  await page.evaluate(DESCRIBE)
  const expected = await page.evaluate(() => {
    const candidates = 'a[href], button, input, select, textarea, summary, iframe, [tabindex], [contenteditable]'
    const isReachable = element => element.tabIndex >= 0 && !element.matches(':disabled') && element.checkVisibility({ visibilityProperty: true })
    // A group of radio buttons is one stop.
    const isFirstOfGroup = element =>
      element.type !== 'radio' || element === (document.querySelector(`[name="${element.name}"]:checked`) ?? document.querySelector(`[name="${element.name}"]`))
    globalThis.stops = [...document.querySelectorAll(candidates)].filter(element => isReachable(element) && isFirstOfGroup(element))
    const look = element => {
      const { outlineStyle, outlineWidth, boxShadow, backgroundColor, borderColor } = getComputedStyle(element)
      return { outline: outlineStyle !== 'none' && parseFloat(outlineWidth) >= 1, other: boxShadow + backgroundColor + borderColor }
    }
    globalThis.look = look
    globalThis.looks = globalThis.stops.map(look)
    return globalThis.stops.map(globalThis.describeElement)
  })
  const reached = []
  for (let press = 0; press < expected.length + 50; press++) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(describeFocus)
    if (!stop || (stop.index >= 0 && reached.includes(stop.index))) break
    if (stop.index < 0) {
      if (!stop.scrolls) add(stop.name, 'takes the focus, but is not interactive')
      continue
    }
    if (stop.index !== (reached.at(-1) ?? -1) + 1) add(stop.name, `comes after ${expected[reached.at(-1)] ?? 'the start'}: not the order of the page`)
    if (!stop.isMarked) add(stop.name, 'has the focus, but looks as before')
    if (stop.hiddenBy) add(stop.name, `has the focus, but is ${stop.hiddenBy}`)
    reached.push(stop.index)
  }
  const missed = expected.filter((_, index) => !reached.includes(index))
  for (const name of missed.slice(0, 5)) add(name, `cannot be reached with the Tab key${missed.length > 5 ? ` (and ${missed.length - 1} others)` : ''}`)
  if (!expected[0]?.startsWith('a') || !/skip/i.test(expected[0])) add(expected[0], 'is the first stop: there is no link to skip to the content')
}

/** Runs in the page: says which element has the focus, and whether a person sees it. */
function describeFocus() {
  const element = document.activeElement
  if (!element || element === document.body || element === document.documentElement) return null
  const index = globalThis.stops.indexOf(element)
  const scrolls = /auto|scroll/.test(getComputedStyle(element).overflow)
  const look = globalThis.look(element)
  const isMarked = look.outline || look.other !== globalThis.looks[index]?.other
  const name = globalThis.describeElement(element)
  // A link of several lines is seen if one of them is.
  const isInWindow = ({ top, right, bottom, left }) => bottom > 0 && top < innerHeight && right > 0 && left < innerWidth
  const rectangles = [...element.getClientRects(), element.getBoundingClientRect()]
  const rectangle = rectangles.find(isInWindow) ?? rectangles[0]
  let hiddenBy = null
  const [x, y] = [rectangle.left + Math.min(rectangle.width / 2, 20), rectangle.top + Math.min(rectangle.height / 2, 10)]
  if (!isInWindow(rectangle)) hiddenBy = 'outside of the window'
  else if (x >= 0 && y >= 0 && x < innerWidth && y < innerHeight) {
    const top = document.elementFromPoint(x, y)
    if (top && !element.contains(top) && !top.contains(element)) hiddenBy = `covered by ${globalThis.describeElement(top)}`
  }
  return { index, name, scrolls, isMarked, hiddenBy }
}

/** The first Tab and Enter lead to the content: the next stop is in it. */
async function skipLink(page, add) {
  await page.reload()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  const isInMain = await page.evaluate(() => document.querySelector('main')?.contains(document.activeElement))
  if (!isInMain) add('the first link', 'does not lead into the content')
}

/** Presses Tab until an element has the focus. */
export async function tabTo(page, selector, limit = 400) {
  for (let press = 0; press < limit; press++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(selector => document.activeElement?.matches(selector), selector)) return
  }
  throw new Error(`Tab does not reach ${selector}`)
}
