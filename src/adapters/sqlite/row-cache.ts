type Find<Row> = (id: number) => Row | null

/** Creates a look-up that queries only if the row is not cached. */
export type CacheLookUp = <Row extends object>(find: Find<Row>) => Find<Row>

/** Rows by id, from one state of the database. */
export interface RowCache {
  /** All callers get the same object for a row. Rows with much text, and missing ones, are not cached. */
  readonly cacheLookUp: CacheLookUp
  /** Call it when a row may have changed. */
  clear(): void
}

/** Per look-up. */
const MAX_ROWS_COUNT = 1_000
/** Per row. */
const MAX_TEXT_CHARACTERS = 2_048

const textLengthOf = (row: object): number => {
  let length = 0
  for (const value of Object.values(row)) if (typeof value === 'string') length += value.length
  return length
}

/** While `isCurrent` is false, every look-up queries the database and nothing is cached. */
export const createRowCache = (isCurrent: () => boolean): RowCache => {
  const caches: Map<number, object>[] = []
  return {
    cacheLookUp<Row extends object>(find: Find<Row>): Find<Row> {
      const rows = new Map<number, Row>()
      caches.push(rows)
      return (id) => {
        if (!isCurrent()) return find(id)
        const cached = rows.get(id)
        if (cached !== undefined) return cached
        const row = find(id)
        if (row === null || textLengthOf(row) > MAX_TEXT_CHARACTERS) return row
        if (rows.size >= MAX_ROWS_COUNT) rows.clear()
        rows.set(id, row)
        return row
      }
    },
    clear() {
      for (const rows of caches) rows.clear()
    },
  }
}

export const withoutCache: CacheLookUp = (find) => find
