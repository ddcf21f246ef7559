import type { Engine } from '../../application/ports/engine.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { openPostgresStore } from './unit-of-work.ts'

interface Options {
  readonly url: string
  /** Maximum number of connections. */
  readonly size: number
}

/** A server that other processes may use: only the operator migrates it, and it is not locked. */
export const createPostgresEngine = ({ url, size }: Options): Engine => {
  const pending = async () => (await pendingMigrations(url)).map(({ name }) => name)
  return {
    migrate: () => migrate(url),
    pending,
    async ensureMigrated() {
      const missing = await pending()
      if (missing.length > 0) throw new Error(`the database lacks ${missing.join(', ')}: run skep migrate`)
      return []
    },
    lock: () => () => {},
    open: (options) => openPostgresStore({ url, size, ...options }),
  }
}
