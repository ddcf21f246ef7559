import { AppError } from '../../domain/errors.ts'

/** Bytes in memory for the network: unread responses and incomplete bodies. */
export interface InFlight {
  /**
   * Counts `bytes` for a client until the result is disposed of. A single one is always accepted. Throws
   * `too_many_requests` above the client's limit, `overloaded` above the total limit; never with `always`, for
   * responses to requests that have already taken effect.
   */
  take(client: string, bytes: number, always?: 'always'): Disposable
  /** Throws `too_many_requests` if half of the client's limit is in use: the client has to read first. */
  check(client: string): void
}

const MAX_CLIENT_BYTES = 8 * 1_048_576
const MAX_TOTAL_BYTES = 64 * 1_048_576
const RETRY_AFTER_SECONDS = 1

const tooMany = () =>
  new AppError('too_many_requests', 'You have too many unread responses or unfinished requests', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  })

export const createInFlight = (maxClientBytes = MAX_CLIENT_BYTES, maxTotalBytes = MAX_TOTAL_BYTES): InFlight => {
  const bytesByClient = new Map<string, number>()
  let total = 0

  const add = (client: string, bytes: number): void => {
    total += bytes
    const all = (bytesByClient.get(client) ?? 0) + bytes
    if (all > 0) bytesByClient.set(client, all)
    else bytesByClient.delete(client)
  }

  return {
    take(client, bytes, always) {
      const before = bytesByClient.get(client) ?? 0
      if (always === undefined && before > 0 && before + bytes > maxClientBytes) throw tooMany()
      if (always === undefined && total > 0 && total + bytes > maxTotalBytes) {
        throw new AppError('overloaded', 'The server has too many unread responses or unfinished requests', {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        })
      }
      add(client, bytes)
      let taken = true
      return {
        [Symbol.dispose]() {
          if (taken) add(client, -bytes)
          taken = false
        },
      }
    },
    check(client) {
      if ((bytesByClient.get(client) ?? 0) > maxClientBytes / 2) throw tooMany()
    },
  }
}
