import type { Connection } from './connection.ts'

/** All open connections, and the connections of each signed-in user. */
export interface Registry {
  add(connection: Connection): void
  /** Assigns a connection to a user. */
  assign(connection: Connection, userId: number): void
  remove(connection: Connection): void
  all(): Iterable<Connection>
  of(userId: number): Iterable<Connection>
  /** The number of signed-in connections. */
  signedInCount(): number
}

export const createRegistry = (): Registry => {
  const connections = new Set<Connection>()
  const byUser = new Map<number, Set<Connection>>()
  let signedInCount = 0
  return {
    add: (connection) => void connections.add(connection),
    assign(connection, userId) {
      const theirs = byUser.get(userId) ?? new Set()
      byUser.set(userId, theirs.add(connection))
      signedInCount++
    },
    remove(connection) {
      connections.delete(connection)
      const userId = connection.credentials?.grant.principal.userId
      if (userId === undefined) return
      const theirs = byUser.get(userId)
      if (theirs?.delete(connection)) signedInCount--
      if (theirs?.size === 0) byUser.delete(userId)
    },
    all: () => connections,
    of: (userId) => [...(byUser.get(userId) ?? [])],
    signedInCount: () => signedInCount,
  }
}
