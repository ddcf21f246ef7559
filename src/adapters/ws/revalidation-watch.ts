import type { Access, Grant } from '../../application/access.ts'
import type { Connection } from './connection.ts'
import type { Registry } from './registry.ts'
import { refusalOf } from './sign-in.ts'

/** Rechecks the token of every connection, because a notice of its end may be lost. */
export interface RevalidationWatch {
  start(): void
  stop(): void
}

interface Deps {
  readonly access: Access
  readonly registry: Registry
  readonly reauthorize: (connection: Connection) => void
}

/** Much more often than cached tokens expire, so that they are revalidated in batches. */
const CHECK_EVERY_MS = 100

export const createRevalidationWatch = ({ access, registry, reauthorize }: Deps): RevalidationWatch => {
  const asked = new WeakSet<Connection>()
  let timer: ReturnType<typeof setInterval> | null = null

  const compare = (connection: Connection, { principal }: Grant): void => {
    if (connection.credentials?.grant.principal.role !== principal.role) reauthorize(connection)
  }

  const ask = async (connection: Connection, answer: Promise<Grant>): Promise<void> => {
    asked.add(connection)
    try {
      compare(connection, await answer)
    } catch (error) {
      // Without the database tokens cannot be checked, but no events can be sent either.
      if (refusalOf(error) !== null && !connection.closed) reauthorize(connection)
    } finally {
      asked.delete(connection)
    }
  }

  const check = (connection: Connection): void => {
    const { credentials, closed } = connection
    if (closed || credentials === null || asked.has(connection)) return
    // The connection itself handles the expiry of its token.
    try {
      const grant = access.grant(credentials.token)
      if (grant instanceof Promise) void ask(connection, grant)
      else compare(connection, grant)
    } catch {}
  }

  return {
    start() {
      timer = setInterval(() => {
        for (const connection of registry.all()) check(connection)
      }, CHECK_EVERY_MS)
    },
    stop() {
      if (timer !== null) clearInterval(timer)
    },
  }
}
