import type { EventScope } from '../../src/application/ports/events.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { RecordChange } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import type { LoggedEvent, NewEvent } from '../../src/domain/event.ts'
import { recordEvent, type StoredRecord } from '../../src/domain/record.ts'

export const OF_ITEMS: EventScope = { kind: 'items' }

/** The event of a change to an item. */
export const itemEvent = (
  change: RecordChange,
  item: StoredRecord,
  author: Partial<Pick<NewEvent, 'actorId' | 'requestId' | 'createdAt'>> = {},
): NewEvent =>
  recordEvent(ITEMS, change, item, { actorId: 1, requestId: 'r', sessionId: null, createdAt: 1, ...author })

interface Asked {
  readonly scope?: EventScope
  readonly after?: number
  readonly limit?: number
}

/** The events of a scope after a position, up to a limit, read as whoever follows the log reads them. */
export const readEvents = async (
  unitOfWork: UnitOfWork,
  { scope = 'all', after = 0, limit = 100_000 }: Asked = {},
): Promise<readonly LoggedEvent[]> => {
  const all: LoggedEvent[] = []
  for (let position = after; all.length < limit; ) {
    const maxCount = Math.min(1_000, limit - all.length)
    const query = { scope, after: position, maxCount, maxBytes: Number.MAX_SAFE_INTEGER }
    const { events, reached, complete } = await unitOfWork.read((tx) => tx.events.chunk(query))
    all.push(...events)
    position = reached
    if (complete) break
  }
  return all
}
