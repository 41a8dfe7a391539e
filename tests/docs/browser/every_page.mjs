// Checks of every page. Each returns what it found: the element, and what is wrong with it.
import { axeSource } from './packages.mjs'

/** Impacts of axe that count. Minor findings are left to people. */
const IMPACTS = ['moderate', 'serious', 'critical']

/** Rules whose result depends on the colours. In the dark theme, only they can differ. */
export const COLOUR_RULES = ['color-contrast', 'link-in-text-block']

/** The rule whose result depends on the width: what scrolls sideways there must take the focus. */
export const WIDTH_RULES = ['scrollable-region-focusable']

export async function accessibility(page, rules) {
  // The policy of the pages forbids other scripts: the browser's debugger runs axe, which no policy concerns.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axeSource)
  const only = rules && { runOnly: { type: 'rule', values: rules } }
  const { violations } = await page.evaluate(options => globalThis.axe.run(document, { resultTypes: ['violations'], ...options }), only ?? {})
  return violations
    .filter(({ impact }) => IMPACTS.includes(impact))
    .map(({ id, impact, help, nodes }) => {
      const others = nodes.length > 1 ? `, and ${nodes.length - 1} other elements` : ''
      const reason = id === 'color-contrast' ? (nodes[0].any[0]?.message ?? '') : ''
      return { element: `${nodes[0].target.join(' ')}${others}`, text: `${id} (${impact}): ${help}. ${reason}`.trim() }
    })
}

/** Scripts and styles are files: the policy blocks them within pages. */
export function inlineCode(page) {
  return page.evaluate(() => {
    const found = new Map() // what is wrong: the elements
    const add = (element, text) => found.set(text, [...(found.get(text) ?? []), element.outerHTML.slice(0, 80)])
    document.querySelectorAll('script:not([src])').forEach(element => add(element, 'inline script'))
    document.querySelectorAll('style').forEach(element => add(element, 'inline style'))
    for (const element of document.querySelectorAll('*')) {
      for (const { name, value } of element.attributes) {
        if (name === 'style') add(element, 'style attribute')
        if (name.startsWith('on')) add(element, `event handler ${name}`)
        if (/^\s*javascript:/i.test(value)) add(element, `script in ${name}`)
      }
    }
    return [...found].map(([text, [first, ...others]]) => ({ element: first, text: text + (others.length ? ` (and ${others.length} others)` : '') }))
  })
}

/** The page does not scroll sideways. Wide tables and code scroll in boxes of their own. */
export function sidewaysScrolling(page) {
  return page.evaluate(() => {
    const { scrollWidth } = document.documentElement
    if (scrollWidth <= innerWidth) return []
    const scrolls = element => /auto|scroll|hidden|clip/.test(getComputedStyle(element).overflowX)
    const isInBox = element => {
      for (let parent = element.parentElement; parent && parent !== document.body; parent = parent.parentElement) if (scrolls(parent)) return true
      return false
    }
    const widest = [...document.body.querySelectorAll('*')]
      .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !isInBox(element))
      .sort((a, b) => b.getBoundingClientRect().right - a.getBoundingClientRect().right)[0]
    const name = widest ? `${widest.localName}${widest.id && `#${widest.id}`}${widest.className && `.${widest.className}`}` : 'unknown element'
    const text = widest?.textContent.trim().slice(0, 40)
    return [{ element: name, text: `the page is ${scrollWidth} px wide${text ? `: "${text}"` : ''}` }]
  })
}

/** Language, title, one heading of level 1, one main part, and the size of the screen. */
export function frame(page) {
  return page.evaluate(() => {
    const found = []
    const require = (condition, element, text) => condition || found.push({ element, text })
    require(document.documentElement.lang.startsWith('en'), 'html', 'no language')
    require(document.title.trim(), 'title', 'no title')
    require(document.querySelectorAll('h1').length === 1, 'h1', `${document.querySelectorAll('h1').length} headings of level 1`)
    require(document.querySelectorAll('main').length === 1, 'main', 'not exactly one main part')
    require(document.querySelector('meta[name=viewport]'), 'meta', 'no viewport')
    return found
  })
}
