import { usersContract } from '../../contracts/users.ts'
import { openTestStore } from '../../support/store.ts'

usersContract('sqlite', async () => openTestStore().store)
