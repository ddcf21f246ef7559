import { largeDeletionsContract } from '../../contracts/large-deletions.ts'
import { openTestStore } from '../../support/store.ts'

largeDeletionsContract('sqlite', async () => openTestStore().store)
