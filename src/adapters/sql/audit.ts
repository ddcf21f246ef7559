import type { AuditEntry, NewAuditEntry } from '../../domain/audit.ts'
import { audit } from './entities.ts'
import { insertInto, type Placeholder } from './statements.ts'

/** The newest of the entries that several indexes have found. */
export const mergeNewest = (found: readonly AuditEntry[], limit: number): readonly AuditEntry[] =>
  [...found].sort((one, other) => other.id - one.id).slice(0, limit)

/** A new entry as it is stored. Entries with a key are counted in one. */
export const storedAuditEntry = (entry: NewAuditEntry, repeatKey: string | null) => ({
  ...entry,
  repeatKey,
  count: 1,
  lastAt: entry.createdAt,
})

/** An INSERT that does nothing if there is an entry with the same key. */
export const onceInsertInto = (placeholder?: Placeholder): string =>
  `${insertInto('audit', audit.inserted, placeholder)} ON CONFLICT (repeat_key) WHERE repeat_key IS NOT NULL DO NOTHING`

/** An INSERT that counts in the entry with the same key instead, if there is one. */
export const countedInsertInto = (placeholder?: Placeholder): string =>
  `${insertInto('audit', audit.inserted, placeholder)}
   ON CONFLICT (repeat_key) WHERE repeat_key IS NOT NULL DO UPDATE
   SET count = audit.count + 1, last_at = excluded.last_at`
