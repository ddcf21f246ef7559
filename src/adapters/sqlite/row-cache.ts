type Find<Value> = (id: number) => Value | null

export interface LookUp<Value> extends Find<Value> {
  /** Call it when this row may have changed. */
  forget(id: number): void
  /** Call it when any row may have changed. */
  forgetAll(): void
}

/** Creates a look-up that queries and converts a row only if its value is not cached. */
export type CacheLookUp = <Row extends object, Value extends object>(
  find: Find<Row>,
  toValue: (row: Row) => Value,
) => LookUp<Value>

/** Values of rows by id, from one state of the database. */
export interface RowCache {
  /** All callers get the same object for a row. Rows with much text, and missing ones, are not cached. */
  readonly cacheLookUp: CacheLookUp
  /** Call it when a row may have changed. */
  clear(): void
}

/** Per look-up. */
const MAX_ROWS_COUNT = 1_000
/** Per row. Parsed JSON can take 20 times the memory of its text, so this bounds a cache to some 20 MB. */
const MAX_TEXT_CHARACTERS = 1_024

const textLengthOf = (row: object): number => {
  let length = 0
  for (const value of Object.values(row)) if (typeof value === 'string') length += value.length
  return length
}

/** While `isCurrent` is false, every look-up queries the database and nothing is cached. */
export const createRowCache = (isCurrent: () => boolean): RowCache => {
  const caches: Map<number, object>[] = []
  return {
    cacheLookUp<Row extends object, Value extends object>(
      find: Find<Row>,
      toValue: (row: Row) => Value,
    ): LookUp<Value> {
      const values = new Map<number, Value>()
      caches.push(values)
      const findUncached = withoutCache(find, toValue)
      const lookUp = (id: number): Value | null => {
        if (!isCurrent()) return findUncached(id)
        const cached = values.get(id)
        if (cached !== undefined) return cached
        const row = find(id)
        if (row === null) return null
        const value = toValue(row)
        if (textLengthOf(row) > MAX_TEXT_CHARACTERS) return value
        if (values.size >= MAX_ROWS_COUNT) values.clear()
        values.set(id, value)
        return value
      }
      return Object.assign(lookUp, { forget: (id: number) => void values.delete(id), forgetAll: () => values.clear() })
    },
    clear() {
      for (const values of caches) values.clear()
    },
  }
}

export const withoutCache: CacheLookUp = (find, toValue) =>
  Object.assign(
    (id: number) => {
      const row = find(id)
      return row && toValue(row)
    },
    { forget() {}, forgetAll() {} },
  )
