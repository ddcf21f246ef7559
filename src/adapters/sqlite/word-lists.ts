import type { Statements } from './record-statements.ts'

export interface Range {
  readonly from: number
  /** Excluded. */
  readonly before: number
}

/** A text index. Each list of ids has a match expression of FTS5. */
export interface WordLists {
  /** Reads a list: ids below `before`, newest first. The cost is bounded. */
  read(match: string, before: number, limit: number): readonly number[]
  /**
   * Reads the ids that are in all of the lists, newest first. FTS5 does not stop at the end of the range, but at the
   * next id that is in all lists, or at the end of one: the caller must know that one of these is near.
   */
  readCommon(matches: readonly string[], range: Range, limit: number): readonly number[]
  /** Counts them, up to a limit; the same applies. */
  countCommon(matches: readonly string[], range: Range, limit: number): number
}

/** `rowid` is the negated id. */
export const createWordLists = (statementOf: Statements, table: string): WordLists => {
  const list = `SELECT rowid FROM ${table}_words WHERE ${table}_words MATCH ? AND rowid > ?`
  const sql = {
    read: `${list} ORDER BY rowid LIMIT +?`,
    readCommon: `${list} AND rowid <= ? ORDER BY rowid LIMIT +?`,
    countCommon: `SELECT count(*) AS count FROM (${list} AND rowid <= ? ORDER BY rowid LIMIT +?)`,
  }
  const idsOf = (rows: readonly { readonly rowid: number }[]) => rows.map(({ rowid }) => -rowid)
  const common = (matches: readonly string[]) => matches.join(' AND ')
  return {
    read: (match, before, limit) => idsOf(statementOf<{ rowid: number }>(sql.read).all(match, -before, limit)),
    readCommon: (matches, { from, before }, limit) =>
      idsOf(statementOf<{ rowid: number }>(sql.readCommon).all(common(matches), -before, -from, limit)),
    countCommon: (matches, { from, before }, limit) =>
      statementOf<{ count: number }>(sql.countCommon).get(common(matches), -before, -from, limit)?.count ?? 0,
  }
}
