import { afterAll } from 'bun:test'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import { outsideOfPostgres, testDatabase } from './postgres.ts'

/** The names of all users, by the `outside` of {@link openTestPostgres}. */
export const userNamesIn = async (outside: <Row>(sql: string) => Promise<Row[]>): Promise<readonly string[]> =>
  (await outside<{ name: string }>('SELECT name FROM users ORDER BY name')).map(({ name }) => name)

/** A store on a database of its own. `reached` changes how; `responseTimeoutMs` is that of the pool. */
export const openTestPostgres = async (
  size = 10,
  reached = (url: string) => url,
  responseTimeoutMs?: number,
  quotaBytes?: number,
) => {
  const url = await testDatabase()
  const open = (connections = size) => {
    const limits = {
      ...(responseTimeoutMs === undefined ? {} : { responseTimeoutMs }),
      ...(quotaBytes === undefined ? {} : { quotaBytes }),
    }
    const store = openPostgresStore({ url: reached(url), size: connections, ...limits })
    afterAll(() => store.close(0))
    return store
  }
  return {
    url,
    store: open(),
    /** Another on the same database, as another process would have. */
    open,
    /** What a newcomer with a connection of their own sees or does. */
    outside: <Row>(statement: string) => outsideOfPostgres<Row>(url, statement),
  }
}
