import { setDefaultTimeout } from 'bun:test'
import { recordQueriesContract } from '../../contracts/record-queries.ts'
import { openTestStore } from '../../support/store.ts'

// Properties are tried many times, each with commits that wait for the disk.
setDefaultTimeout(60_000)

recordQueriesContract('sqlite', async () => openTestStore().store)
