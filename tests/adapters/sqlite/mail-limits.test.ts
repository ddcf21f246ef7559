import { mailLimitsContract } from '../../contracts/mail-limits.ts'
import { openTestStore } from '../../support/store.ts'

mailLimitsContract('sqlite', async () => openTestStore().store)
