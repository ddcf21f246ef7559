// What pages of tests find in `window.skep`.

import { createClient } from '../../client/src/index.ts'
import { runSuite } from './run.ts'

Object.assign(globalThis, { skep: { createClient, runSuite } })
