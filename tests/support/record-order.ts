import { compileExpression } from '../../src/adapters/cel/compile.ts'
import type { RecordStorage } from '../../src/application/ports/collections.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Collection } from '../../src/domain/collection.ts'
import type { Expression } from '../../src/domain/expression.ts'
import { parseTimestamp } from '../../src/domain/expression-time.ts'
import { compareText } from '../../src/domain/expression-values.ts'
import type { Json } from '../../src/domain/merge-patch.ts'
import type { Page, RowPosition } from '../../src/domain/page.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import { collectionNamed } from './expressions.ts'

/** A condition on records of a collection. Throws if it is refused. */
export const compiled = (text: string, collection: Collection, use: 'read' | 'filter'): Expression => {
  const result = compileExpression(text, { collection, use, collectionNamed })
  if ('faults' in result) throw new Error(`${text}: ${JSON.stringify(result.faults)}`)
  return result.expression
}

const RANKS = ['object', 'boolean', 'number', 'string']

/** Null, false, true, numbers, strings; times by what they mean. */
export const compareScalars = (one: Json, other: Json): number => {
  if (typeof one !== typeof other) return RANKS.indexOf(typeof one) - RANKS.indexOf(typeof other)
  if (typeof one === 'string' && typeof other === 'string') return compareText(one, other)
  return Number(one) - Number(other)
}

const COLUMNS: Readonly<Record<string, string>> = { id: 'id', created_at: 'createdAt', updated_at: 'updatedAt' }

const sortValuesOf = (collection: Collection, field: string) => {
  const column = COLUMNS[field]
  const indexes = (collection.indexes ?? []).filter(({ fields }) => fields[0] === field)
  const fewest = Math.min(...indexes.map(({ fields }) => fields.length))
  const names = indexes.find(({ fields }) => fields.length === fewest)?.fields ?? []
  return (record: StoredRecord): readonly Json[] => {
    if (column !== undefined) return [record[column] ?? null, record.id]
    const values = names.map((name) => {
      const value = record[name] ?? null
      return collection.fields[name]?.format === 'date-time' && typeof value === 'string'
        ? parseTimestamp(value)
        : value
    })
    return [...values, record.createdAt, record.id]
  }
}

/** The ids of the records in the order of a list. */
export const sorted = (
  records: readonly StoredRecord[],
  collection: Collection,
  field: string,
  descending: boolean,
) => {
  const valuesOf = sortValuesOf(collection, field)
  const compare = (one: StoredRecord, other: StoredRecord): number => {
    const [values, others] = [valuesOf(one), valuesOf(other)]
    const differing = values.findIndex((value, n) => compareScalars(value, others[n] ?? null) !== 0)
    return differing < 0 ? 0 : compareScalars(values[differing] ?? null, others[differing] ?? null)
  }
  return records.toSorted((one, other) => (descending ? -1 : 1) * compare(one, other)).map(({ id }) => id)
}

/** The ids of a list that is read to its end by cursor. */
export const allPages = async (
  store: Store,
  storage: RecordStorage,
  query: RecordQuery,
): Promise<readonly number[]> => {
  const ids: number[] = []
  let after: RowPosition | null = null
  for (let pages = 0; pages < 100; pages++) {
    const from: RecordQuery['from'] = after === null ? { page: 1 } : { after }
    const page: Page<StoredRecord> = await store.read((tx) => tx.records(storage).list({ ...query, from }))
    ids.push(...page.items.map(({ id }) => id))
    if (page.next === null) return ids
    after = page.next
  }
  throw new Error('the pages do not end')
}
