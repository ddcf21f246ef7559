import { definitionChangesContract } from '../../contracts/definition-changes.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

if (!missing) definitionChangesContract('postgres', () => openTestPostgres())
