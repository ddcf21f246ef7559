import type { Collection, FieldSchema, IndexDefinition } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import { parseTimestamp } from '../domain/expression-time.ts'
import type { Json, JsonObject } from '../domain/merge-patch.ts'

/** Limits of the keys that are remembered during one import. */
const LIMITS = { keysCount: 100_000, characters: 4 * 1_024 * 1_024 }

/** A time equals every other text for the same time. */
const comparable = (field: FieldSchema | undefined, value: Json): Json =>
  typeof value === 'string' && field?.format === 'date-time' ? (parseTimestamp(value) ?? value) : value

const keyIn = ({ fields }: Collection, index: IndexDefinition, record: JsonObject): string | null => {
  const values = index.fields.map((name) => comparable(fields[name], record[name] ?? null))
  return values.includes(null) ? null : JSON.stringify([index.fields, values])
}

const duplicate = ({ fields }: IndexDefinition): AppError =>
  new AppError('not_unique', `An earlier line has the same ${fields.join(', ')}`, {
    faults: fields.map((name) => ({ pointer: `/${name}`, detail: 'An earlier line has this value' })),
  })

/**
 * The values of unique indexes in the lines that a dry run has accepted. Nothing of them is stored, so the database does
 * not know them. Beyond the limits, further lines are no longer remembered.
 */
export const createImportKeys = (limits = LIMITS) => {
  const known = new Set<string>()
  let characters = 0

  const remember = (key: string): void => {
    if (known.size >= limits.keysCount || characters + key.length > limits.characters) return
    if (known.has(key)) return
    known.add(key)
    characters += key.length
  }

  const uniqueIn = ({ indexes = [] }: Collection) => indexes.filter(({ unique }) => unique)

  return {
    /** Why a record cannot be created after those that have been added; null if it can. */
    refusalOf(collection: Collection, record: JsonObject): AppError | null {
      for (const index of uniqueIn(collection)) {
        const key = keyIn(collection, index, record)
        if (key !== null && known.has(key)) return duplicate(index)
      }
      return null
    },
    add(collection: Collection, record: JsonObject): void {
      for (const index of uniqueIn(collection)) {
        const key = keyIn(collection, index, record)
        if (key !== null) remember(key)
      }
    },
  }
}

export type ImportKeys = ReturnType<typeof createImportKeys>
