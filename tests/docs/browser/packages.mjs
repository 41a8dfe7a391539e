// The packages of npm, which tests/docs/run.sh installs outside of the source directories.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../../target/docs/browser/package.json', import.meta.url))

export const { chromium } = require('playwright-core')
export const axeSource = require('axe-core').source
