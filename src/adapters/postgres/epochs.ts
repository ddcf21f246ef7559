import type { EpochReader } from '../../application/ports/persistence.ts'
import { FIRST_EPOCH, MAX_EPOCHS_COUNT } from '../../domain/epoch.ts'
import { newNonce } from '../sql/nonce.ts'
import { type Connection, type Int8, intOrNull } from './connection.ts'
import type { ServerConnection } from './server-connection.ts'

/** The epoch of the data, as checked on each new connection. */
export interface PresentEpoch {
  readonly current: string
  /**
   * Call it with a connection before anything else is sent on it, because only a new connection can lead to other data.
   */
  check(connection: ServerConnection): Promise<void>
}

export const createPresentEpoch = (): PresentEpoch => {
  let current = FIRST_EPOCH
  return {
    get current() {
      return current
    },
    async check(connection) {
      const [row] = await connection.send<{ nonce: string }>('SELECT present_epoch($1, $2) AS nonce', [
        newNonce(),
        MAX_EPOCHS_COUNT,
      ])
      if (row !== undefined) current = row.nonce
    },
  }
}

export const createEpochReader = (connection: Connection, present: PresentEpoch): EpochReader => ({
  get current() {
    return present.current
  },
  async find(id) {
    const [found] = await connection.read<{ end: Int8 | null }>(
      `SELECT (SELECT later.first_cursor - 1 FROM epochs later WHERE later.id > epochs.id ORDER BY later.id LIMIT 1) AS "end"
       FROM epochs WHERE nonce = $1`,
      id,
    )
    return found === undefined ? null : { id, end: intOrNull(found.end) }
  },
})
