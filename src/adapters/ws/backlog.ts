import { type Backlog, type Connection, close, MAX_BACKLOG_BYTES } from './connection.ts'
import { CLOSE } from './frames.ts'

const MAX_USER_BYTES = 8 * MAX_BACKLOG_BYTES
const MAX_TOTAL_BYTES = 48 * MAX_BACKLOG_BYTES
/** Bytes queued between two checks. */
const CHECK_EVERY_BYTES = 8 * MAX_BACKLOG_BYTES
/** How long Bun keeps a closed connection whose client does not read. */
const LINGER_MS = 16_000
const MAX_LINGERING_BYTES = 16 * MAX_BACKLOG_BYTES

interface Waiting {
  readonly connection: Connection
  readonly bytes: number
}

const sumOf = (list: readonly Waiting[]): number => list.reduce((sum, { bytes }) => sum + bytes, 0)

/** Closes the slowest until the others are within `most`; returns the remaining ones. */
const closeSlowest = (list: readonly Waiting[], most: number): readonly Waiting[] => {
  let sum = sumOf(list)
  if (sum <= most) return list
  const slowestFirst = list.toSorted((one, other) => other.bytes - one.bytes)
  return slowestFirst.filter(({ connection, bytes }) => {
    if (sum <= most) return true
    sum -= bytes
    close(connection, CLOSE.tooSlow, 'Too much waits to be read')
    return false
  })
}

export const createBacklog = (connections: () => Iterable<Connection>): Backlog => {
  let queued = 0
  let lingering = 0

  const checkNow = (): void => {
    queued = 0
    const byUser = new Map<number | null, Waiting[]>()
    for (const connection of [...connections()]) {
      const bytes = connection.socket?.getBufferedAmount() ?? 0
      if (bytes > MAX_BACKLOG_BYTES) close(connection, CLOSE.tooSlow, 'Too much waits to be read')
      else if (bytes > 0) {
        const userId = connection.credentials?.grant.principal.userId ?? null
        const list = byUser.get(userId)
        if (list === undefined) byUser.set(userId, [{ connection, bytes }])
        else list.push({ connection, bytes })
      }
    }
    const left = [...byUser.values()].flatMap((list) => closeSlowest(list, MAX_USER_BYTES))
    closeSlowest(left, MAX_TOTAL_BYTES)
  }

  return {
    checkNow,
    queued(bytes) {
      queued += bytes
      if (queued >= CHECK_EVERY_BYTES) checkNow()
    },
    mayLinger(bytes) {
      if (bytes === 0) return true
      if (lingering + bytes > MAX_LINGERING_BYTES) return false
      lingering += bytes
      setTimeout(() => {
        lingering -= bytes
      }, LINGER_MS).unref()
      return true
    },
  }
}
