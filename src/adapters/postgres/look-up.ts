import type { Readable, Row } from '../sql/entity.ts'
import type { Connection, Lock } from './connection.ts'

type LookUp<T> = (id: number) => Promise<T | null>

interface Asked<T> extends PromiseWithResolvers<T | null> {
  readonly id: number
}

/** Up to this number of running statements, look-ups are not batched. */
const MAX_STATEMENTS_COUNT = 4

const batchLookUps = <T extends { readonly id: number }>(
  rowsOf: (ids: readonly number[]) => Promise<readonly Row[]>,
  fromRow: (row: Row) => T,
): LookUp<T> => {
  let waiting: Asked<T>[] = []
  let underWay = 0

  const ask = async (batch: readonly Asked<T>[]): Promise<void> => {
    const ids = new Set(batch.map(({ id }) => id))
    try {
      const rows = await rowsOf([...ids])
      const found = new Map(rows.map(fromRow).map((one) => [one.id, one]))
      for (const { id, resolve } of batch) resolve(found.get(id) ?? null)
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

  return (id) => {
    const asked = { id, ...Promise.withResolvers<T | null>() }
    waiting.push(asked)
    send()
    return asked.promise
  }
}

/**
 * Looks up rows by id. Without a lock, while {@link MAX_STATEMENTS_COUNT} statements are running, look-ups share the
 * next statement, and look-ups of the same id share its row. `columns` are those to read.
 */
export const lookUpIn = <T extends { readonly id: number }>(
  connection: Connection,
  { name, fromRow }: Readable<T>,
  lock: Lock,
  columns = '*',
): LookUp<T> => {
  const select = `SELECT ${columns} FROM ${name} WHERE id =`
  const one = `${select} $1`
  const many = `${select} ANY ($1::bigint[])`
  if (lock === '') {
    return batchLookUps((ids) => {
      // A list of one would cost Postgres twice as much.
      return ids.length === 1 ? connection.read<Row>(one, ...ids) : connection.read<Row>(many, `{${ids.join()}}`)
    }, fromRow)
  }
  return async (id) => {
    const [row] = await connection.lookUp<Row>(lock, one, id)
    return row === undefined ? null : fromRow(row)
  }
}
