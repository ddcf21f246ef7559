import { definitionChangesContract } from '../../contracts/definition-changes.ts'
import { openTestStore } from '../../support/store.ts'

definitionChangesContract('sqlite', () => openTestStore())
