import { setDefaultTimeout } from 'bun:test'
import { collectionsContract } from '../../contracts/collections.ts'
import { preparedRecordsContract } from '../../contracts/prepared-records.ts'
import { storedRecordsContract } from '../../contracts/stored-records.ts'
import { openTestStore } from '../../support/store.ts'

// Properties are tried many times, each with commits that wait for the disk.
setDefaultTimeout(60_000)

collectionsContract('sqlite', async () => openTestStore().store)
storedRecordsContract('sqlite', async () => openTestStore().store)
preparedRecordsContract('sqlite', async () => openTestStore().store)
