import { definitionChangesContract } from '../../contracts/definition-changes.ts'
import { definitionRacesContract } from '../../contracts/definition-races.ts'
import { openTestStore } from '../../support/store.ts'

definitionChangesContract('sqlite', () => openTestStore())
definitionRacesContract('sqlite', () => openTestStore())
