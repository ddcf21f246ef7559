import { setDefaultTimeout } from 'bun:test'
import migration from '../../../src/adapters/sqlite/migrations/0007_usage.sql' with { type: 'text' }
import { usageContract } from '../../contracts/usage.ts'
import { openTestStore } from '../../support/store.ts'

// Properties are tried many times, each with commits that wait for the disk.
setDefaultTimeout(30_000)

usageContract('sqlite', async (quotaBytes) => openTestStore(quotaBytes === undefined ? {} : { quotaBytes }), migration)
