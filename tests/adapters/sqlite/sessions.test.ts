import { sessionsContract } from '../../contracts/sessions.ts'
import { openTestStore } from '../../support/store.ts'

sessionsContract('SQLite', async () => openTestStore().store)
