import type { Readable, Row } from '../sql/entity.ts'
import type { Connection, Lock } from './connection.ts'

type LookUp<Key, T> = (key: Key) => Promise<T | null>

interface Asked<Key, T> extends PromiseWithResolvers<T | null> {
  readonly key: Key
}

/** Up to this number of running statements, look-ups are not batched. */
const MAX_STATEMENTS_COUNT = 4

/**
 * While {@link MAX_STATEMENTS_COUNT} statements are running, look-ups share the next one, and look-ups of the same key
 * share its result. `find` runs the statement.
 */
export const batchLookUps = <Key, T>(find: (keys: readonly Key[]) => Promise<ReadonlyMap<Key, T>>): LookUp<Key, T> => {
  let waiting: Asked<Key, T>[] = []
  let underWay = 0

  const ask = async (batch: readonly Asked<Key, T>[]): Promise<void> => {
    try {
      const found = await find([...new Set(batch.map(({ key }) => key))])
      for (const { key, resolve } of batch) resolve(found.get(key) ?? null)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  const send = (): void => {
    if (waiting.length === 0 || underWay >= MAX_STATEMENTS_COUNT) return
    const batch = waiting
    waiting = []
    underWay++
    void ask(batch).finally(() => {
      underWay--
      send()
    })
  }

  return (key) => {
    const asked = { key, ...Promise.withResolvers<T | null>() }
    waiting.push(asked)
    send()
    return asked.promise
  }
}

/**
 * Looks up rows by id. Without a lock, look-ups are batched. `columns` are those to read.
 */
export const lookUpIn = <T extends { readonly id: number }>(
  connection: Connection,
  { name, fromRow }: Readable<T>,
  lock: Lock,
  columns = '*',
): LookUp<number, T> => {
  const select = `SELECT ${columns} FROM ${name} WHERE id =`
  const one = `${select} $1`
  const many = `${select} ANY ($1::bigint[])`
  if (lock === '') {
    return batchLookUps(async (ids) => {
      // A list of one would cost Postgres twice as much.
      const rows =
        ids.length === 1 ? await connection.read<Row>(one, ...ids) : await connection.read<Row>(many, `{${ids.join()}}`)
      return new Map(rows.map(fromRow).map((one) => [one.id, one]))
    })
  }
  return async (id) => {
    const [row] = await connection.lookUp<Row>(lock, one, id)
    return row === undefined ? null : fromRow(row)
  }
}
