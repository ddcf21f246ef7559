import type { EventScope } from '../../application/ports/persistence.ts'
import { collectionNamed } from '../../domain/collections/index.ts'
import { erasedRecord } from '../../domain/record.ts'

/** Events that one look for those of a kind passes over. */
export const MAX_SCANNED_COUNT = 2_000

/** Whether the events of a scope are found by passing over those of others. */
export const isScanned = (scope: EventScope): boolean =>
  scope !== 'all' && !('subjectId' in scope) && scope.ownerId === undefined

/** What is left of a deleted record, as the log keeps it, when its owner has gone; of an unknown kind nothing but its id. */
export const erasedData = (kind: string, data: string): string => {
  const collection = collectionNamed(kind)
  const record = JSON.parse(data)
  return JSON.stringify(collection === null ? { id: record.id } : erasedRecord(collection, record))
}
