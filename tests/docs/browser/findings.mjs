// What is wrong with the pages.

export class Findings {
  #found = new Map() // the check, the circumstances, the element and what is wrong: the pages

  /** Adds a finding. `place` has the page, and where it matters the theme, the width and the element. */
  add(check, place, text) {
    const circumstances = [place.theme, place.width && `${place.width} px`, place.circumstance].filter(Boolean).join(', ')
    const element = place.element ? `, ${place.element}` : ''
    const key = JSON.stringify([check, circumstances && ` (${circumstances})`, element, text])
    if (!this.#found.has(key)) this.#found.set(key, new Set())
    this.#found.get(key).add(place.page)
  }

  get count() {
    return this.#found.size
  }

  /** Returns the messages, without the first ones. What is wrong with many pages is one message. */
  since(count) {
    return [...this.#found].slice(count).map(([key, pages]) => {
      const [check, circumstances, element, text] = JSON.parse(key)
      const [first, ...others] = pages
      return `${check}: ${first}${circumstances}${element}: ${text}${others.length ? `, and on ${others.length} other pages: ${others.join(' ')}` : ''}`
    })
  }
}
