import { test } from 'bun:test'
import { startClientServer } from '../support/client-server.ts'
import { SUITE } from './suite.ts'

const { url } = await startClientServer()

for (const [title, run] of Object.entries(SUITE)) test(title, () => run({ url }))
