type Find<Value> = (id: number) => Value | null

export interface LookUp<Value, Row extends object = never> extends Find<Value> {
  /** The value, if it is cached. */
  cached(id: number): Value | undefined
  /** Converts a row that was read by another statement. Its value is cached only if there is room. */
  valueOf(id: number, row: Row): Value
  /** Call it when this row may have changed. */
  forget(id: number): void
  /** Call it when any row may have changed. */
  forgetAll(): void
}

/** Creates a look-up that queries and converts a row only if its value is not cached. */
export type CacheLookUp = <Row extends object, Value extends object>(
  find: Find<Row>,
  toValue: (row: Row) => Value,
) => LookUp<Value, Row>

/** Runs a count only if its result is not cached. The key is the statement with its parameters. */
export type CacheCount = (key: string, count: () => number) => number

/** Values of rows by id, and counts, from one state of the database. */
export interface RowCache {
  /** All callers get the same object for a row. Rows with much text, and missing ones, are not cached. */
  readonly cacheLookUp: CacheLookUp
  readonly cacheCount: CacheCount
  /** Call it when a row may have changed. */
  clear(): void
}

/** Per look-up. */
const MAX_ROWS_COUNT = 1_000
/** Per row. Parsed JSON can take 20 times the memory of its text, so this bounds a cache to some 20 MB. */
const MAX_TEXT_CHARACTERS = 1_024

const MAX_COUNTS_COUNT = 1_000
/** Below this result, counting again costs as little as looking it up. */
const MIN_CACHED_COUNT = 100

const textLengthOf = (row: object): number => {
  let length = 0
  for (const value of Object.values(row)) if (typeof value === 'string') length += value.length
  return length
}

/** While `isCurrent` is false, every look-up queries the database and nothing is cached. */
export const createRowCache = (isCurrent: () => boolean): RowCache => {
  const caches: Map<number, object>[] = []
  const counts = new Map<string, number>()
  return {
    cacheLookUp<Row extends object, Value extends object>(
      find: Find<Row>,
      toValue: (row: Row) => Value,
    ): LookUp<Value, Row> {
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
      return Object.assign(lookUp, {
        cached: (id: number) => (isCurrent() ? values.get(id) : undefined),
        valueOf(id: number, row: Row) {
          const value = toValue(row)
          const isKept = isCurrent() && values.size < MAX_ROWS_COUNT && textLengthOf(row) <= MAX_TEXT_CHARACTERS
          if (isKept) values.set(id, value)
          return value
        },
        forget: (id: number) => void values.delete(id),
        forgetAll: () => values.clear(),
      })
    },
    cacheCount(key, count) {
      if (!isCurrent()) return count()
      const cached = counts.get(key)
      if (cached !== undefined) return cached
      const result = count()
      if (result < MIN_CACHED_COUNT || key.length > MAX_TEXT_CHARACTERS) return result
      if (counts.size >= MAX_COUNTS_COUNT) counts.clear()
      counts.set(key, result)
      return result
    },
    clear() {
      for (const values of caches) values.clear()
      counts.clear()
    },
  }
}

export const withoutCache: CacheLookUp = (find, toValue) =>
  Object.assign(
    (id: number) => {
      const row = find(id)
      return row && toValue(row)
    },
    {
      cached: () => undefined,
      valueOf: (_: number, row: Parameters<typeof toValue>[0]) => toValue(row),
      forget() {},
      forgetAll() {},
    },
  )

export const withoutCountCache: CacheCount = (_, count) => count()
