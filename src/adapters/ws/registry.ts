import type { Connection } from './connection.ts'

/** All open connections, and the connections of each signed-in user. */
export interface Registry {
  add(connection: Connection): void
  /** Assigns a connection to a user. */
  assign(connection: Connection, userId: number): void
  remove(connection: Connection): void
  all(): Iterable<Connection>
  of(userId: number): Iterable<Connection>
  size(): number
}

export const createRegistry = (): Registry => {
  const connections = new Set<Connection>()
  const byUser = new Map<number, Set<Connection>>()
  return {
    add: (connection) => void connections.add(connection),
    assign(connection, userId) {
      const theirs = byUser.get(userId) ?? new Set()
      byUser.set(userId, theirs.add(connection))
    },
    remove(connection) {
      connections.delete(connection)
      const userId = connection.credentials?.grant.principal.userId
      if (userId === undefined) return
      const theirs = byUser.get(userId)
      theirs?.delete(connection)
      if (theirs?.size === 0) byUser.delete(userId)
    },
    all: () => connections,
    of: (userId) => [...(byUser.get(userId) ?? [])],
    size: () => connections.size,
  }
}
