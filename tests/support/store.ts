import { afterAll } from 'bun:test'
import { join } from 'node:path'
import { type Connection, openWriter } from '../../src/adapters/sqlite/database.ts'
import { openSqliteStore } from '../../src/adapters/sqlite/unit-of-work.ts'
import type { Wal } from '../../src/adapters/sqlite/wal-sync.ts'
import type { StoreOptions } from '../../src/application/ports/engine.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { NewSession } from '../../src/domain/session.ts'
import type { NewUser } from '../../src/domain/user.ts'
import { createMigratedDatabase } from './migrated.ts'
import { temporaryFolder } from './skep.ts'

export interface TestStore {
  readonly store: Store
  readonly path: string
  /** The writing connection, to break things with. */
  readonly writer: () => Connection
  /** What a newcomer with a connection of their own sees. */
  readonly outside: <Row>(sql: string) => Row[]
}

interface Options extends StoreOptions {
  readonly lockTimeoutMs?: number
  readonly wrap?: (connection: Connection) => Connection
  readonly wal?: (path: string) => Wal
}

/** A migrated database in a temporary folder, open for reading and writing. */
export const openTestStore = ({ wrap, wal, ...options }: Options = {}): TestStore => {
  const path = join(temporaryFolder(), 'skep.db')
  createMigratedDatabase(path)
  let current: Connection | null = null
  const store = openSqliteStore({
    path,
    ...options,
    ...(wal && { wal: wal(path) }),
    onOpenWriter(writer) {
      current = writer
      return wrap?.(writer) ?? writer
    },
  })
  afterAll(() => store.close())
  return {
    store,
    path,
    writer() {
      if (current === null) throw new Error('no writer yet')
      return current
    },
    outside<Row>(sql: string) {
      const connection = openWriter(path)
      try {
        return connection.database.query<Row, []>(sql).all()
      } finally {
        connection.database.close()
      }
    },
  }
}

export const userNamed = (name: string): NewUser => ({
  email: `${name}@example.com`,
  name,
  role: 'user',
  isActive: true,
  emailVerified: false,
  passwordHash: 'x',
  createdAt: 1,
  updatedAt: 1,
})

export const sessionFor = (userId: number): NewSession => ({
  userId,
  device: '',
  address: '',
  createdAt: 1,
  lastUsedAt: 1,
  expiresAt: 2,
})
