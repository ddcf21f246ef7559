import { createEventLoopSlices } from '../../src/adapters/bun/event-loop-slices.ts'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { createCatalog } from '../../src/application/catalog.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { Log } from '../../src/application/ports/system.ts'
import { createReadableCollections } from '../../src/application/readable-collections.ts'
import { createRealtime } from '../../src/application/realtime.ts'
import { createTopics } from '../../src/application/topics.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'

const clock = { now: () => Date.now() }

/** Follows the log of a database, outside a server. */
export const createTestRealtime = (unitOfWork: UnitOfWork, log: Log) => {
  const catalog = createCatalog({ collections: COLLECTIONS, compileExpression, compileValidator })
  const readable = createReadableCollections(catalog)
  const topics = createTopics({ collections: COLLECTIONS, readable, clock })
  return createRealtime({ unitOfWork, topics, readable, clock, slices: createEventLoopSlices(), log })
}
