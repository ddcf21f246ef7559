import { type Connection, type Int8, int, type Lock } from './connection.ts'

type LookUp<Row> = (id: number) => Promise<Row | null>

interface Source {
  readonly table: string
  /** All columns if absent. */
  readonly columns?: string
  readonly lock: Lock
}

interface Asked<Row> extends PromiseWithResolvers<Row | null> {
  readonly id: number
}

/** Up to this number of running statements, look-ups are not batched. */
const MAX_STATEMENTS_COUNT = 4

const together = <Row extends { readonly id: Int8 }>(
  rowsOf: (ids: readonly number[]) => Promise<readonly Row[]>,
): LookUp<Row> => {
  let waiting: Asked<Row>[] = []
  let underWay = 0

  const ask = async (batch: readonly Asked<Row>[]): Promise<void> => {
    const ids = new Set(batch.map(({ id }) => id))
    try {
      const rows = await rowsOf([...ids])
      const found = new Map(rows.map((row) => [int(row.id), row]))
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
    const asked = { id, ...Promise.withResolvers<Row | null>() }
    waiting.push(asked)
    send()
    return asked.promise
  }
}

/**
 * Looks up rows by id. Without a lock, while {@link MAX_STATEMENTS_COUNT} statements are running, look-ups share the
 * next statement, and look-ups of the same id share its row.
 */
export const lookUpIn = <Row extends { readonly id: Int8 }>(
  connection: Connection,
  { table, columns = '*', lock }: Source,
): LookUp<Row> => {
  const select = `SELECT ${columns} FROM ${table} WHERE id =`
  const one = `${select} $1`
  const many = `${select} ANY ($1::bigint[])`
  if (lock === '') {
    return together((ids) => {
      // A list of one would cost Postgres twice as much.
      return ids.length === 1 ? connection.read<Row>(one, ...ids) : connection.read<Row>(many, `{${ids.join()}}`)
    })
  }
  return async (id) => {
    const [row] = await connection.lookUp<Row>(lock, one, id)
    return row ?? null
  }
}
