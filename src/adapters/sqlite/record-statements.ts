import type { Binding, Connection, Prepared } from './database.ts'
import type { CacheCount } from './row-cache.ts'

export type Bindings = Record<string, Binding>

/** Prepares each statement once. */
export const createStatements = (connection: Connection) => {
  const statements = new Map<string, Prepared<unknown>>()
  return <Found>(sql: string): Prepared<Found> => {
    const known = statements.get(sql) ?? connection.prepare<unknown>(sql)
    statements.set(sql, known)
    // The text of a statement tells what its rows are.
    return known as Prepared<Found>
  }
}

export type Statements = ReturnType<typeof createStatements>

/** JSON would have each byte of a key as a member of its own. */
const textOf = (bindings: Bindings): string => {
  let text = ''
  for (const name in bindings) {
    const value = bindings[name]
    text += ` ${value instanceof Uint8Array ? value.toHex() : JSON.stringify(value)}`
  }
  return text
}

/** Counts the rows of a selection, up to a limit. */
export type CountRows = (selection: string, parameters: Bindings, limit: number) => number

export const createCounting =
  (statementOf: Statements, cacheCount: CacheCount): CountRows =>
  (selection, parameters, limit) => {
    const bindings = { ...parameters, limit }
    return cacheCount(
      selection + textOf(bindings),
      () => statementOf<{ n: number }>(`SELECT count(*) AS n FROM (${selection} LIMIT +:limit)`).get(bindings)?.n ?? 0,
    )
  }
