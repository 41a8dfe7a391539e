// Pages on paper: the text is complete, without what is for screens only.
import { execFileSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eachKind } from './kinds.mjs'

export async function printing(visits) {
  const directory = await mkdtemp(join(tmpdir(), 'lrs-gateway-print-'))
  try {
    await eachKind(visits, { theme: 'dark' }, (page, kind) => printed(visits, page, join(directory, `${kind}.pdf`)), ['home', 'guide', 'page', 'operation', 'problem'])
  } finally {
    await rm(directory, { recursive: true })
  }
}

async function printed(visits, page, file) {
  const add = (element, text) => visits.findings.add('print', { page: visits.name(page.url()), element }, text)
  await writeFile(file, await page.pdf({ format: 'A4' }))
  const pages = Number(/^Pages:\s+(\d+)/m.exec(execFileSync('pdfinfo', [file], { encoding: 'utf8' }))?.[1] ?? 0)
  if (!pages) add('the PDF', 'has no pages')
  // Lines break where the paper ends, so that only the characters count.
  const squeezed = text => text.replace(/[\s\u00ad-]/g, '')
  const text = squeezed(execFileSync('pdftotext', ['-layout', file, '-'], { encoding: 'utf8' }))
  const content = await page.evaluate(() => {
    const main = document.querySelector('main') ?? document.body
    const lines = [...main.querySelectorAll('pre')].flatMap(block => block.textContent.split('\n'))
    const longest = lines.reduce((longest, line) => (line.length > longest.length ? line : longest), '')
    const cells = [...main.querySelectorAll('tr > :last-child')].map(cell => cell.textContent.trim()).filter(Boolean)
    return {
      headings: [...main.querySelectorAll('h1, h2')].filter(heading => heading.checkVisibility()).map(heading => heading.textContent.trim()),
      lineEnd: longest.slice(-12),
      cellStart: (cells.at(-1) ?? '').slice(0, 12),
    }
  })
  for (const heading of content.headings) if (!text.includes(squeezed(heading))) add(`heading "${heading}"`, 'is not on paper')
  if (!text.includes(squeezed(content.lineEnd))) add(`line of code that ends with "${content.lineEnd}"`, 'is cut off on paper')
  if (!text.includes(squeezed(content.cellStart))) add(`last column of a table with "${content.cellStart}"`, 'is cut off on paper')
  if (/Skiptothecontent/i.test(text)) add('the link to skip to the content', 'is on paper')
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' })
  const visible = await page.$$eval('nav:not(.breadcrumb), [role=search], .menu', elements => elements.filter(element => element.checkVisibility()).map(element => element.outerHTML.slice(0, 60)))
  for (const element of visible) add(element, 'is for screens, but on paper')
  const background = await page.evaluate(() => [document.documentElement, document.body].map(element => getComputedStyle(element).backgroundColor).find(colour => !/, 0\)$/.test(colour)))
  if (background && background !== 'rgb(255, 255, 255)') add('background', `is ${background} on paper in the dark theme`)
}
