import { auditContract } from '../../contracts/audit.ts'
import { openTestStore } from '../../support/store.ts'

auditContract('sqlite', async () => openTestStore().store)
