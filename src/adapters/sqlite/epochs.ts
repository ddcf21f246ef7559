import type { EpochReader } from '../../application/ports/persistence.ts'
import { FIRST_EPOCH, MAX_EPOCHS_COUNT } from '../../domain/epoch.ts'
import { newNonce } from '../sql/nonce.ts'
import type { Connection } from './database.ts'

/** The epoch of the only process on the database. */
export interface PresentEpoch {
  current: string
}

/** The epoch of the previous server, until this one begins its own. */
export const presentEpoch = (connection: Connection): PresentEpoch => {
  const last = connection.prepare<{ nonce: string }, []>('SELECT nonce FROM epochs ORDER BY id DESC LIMIT 1').get()
  return { current: last?.nonce ?? FIRST_EPOCH }
}

export const createEpochReader = (connection: Connection, present: PresentEpoch): EpochReader => {
  const byNonce = connection.prepare<{ end: number | null }, [string]>(
    `SELECT (SELECT later.first_cursor - 1 FROM epochs later WHERE later.id > epochs.id ORDER BY later.id LIMIT 1) AS "end"
     FROM epochs WHERE nonce = ?`,
  )
  return {
    get current() {
      return present.current
    },
    async find(id) {
      const found = byNonce.get(id)
      return found && { id, end: found.end }
    },
  }
}

export interface EpochWriter extends EpochReader {
  /** Begins an epoch after the last event of the log; returns its id. */
  begin(): Promise<string>
}

export const createEpochWriter = (connection: Connection, present: PresentEpoch): EpochWriter => {
  const insert = connection.prepare<unknown, [string]>(
    `INSERT INTO epochs (first_cursor, nonce)
     SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) + 1, ?`,
  )
  const prune = connection.prepare<unknown, [number]>(
    `DELETE FROM epochs WHERE id IN (
       SELECT id FROM (
         SELECT id, lead(first_cursor) OVER (ORDER BY id) - 1 AS last, row_number() OVER (ORDER BY id DESC) AS place
         FROM epochs)
       WHERE place > ? OR last < (SELECT min(cursor) - 1 FROM events))`,
  )
  return Object.assign(createEpochReader(connection, present), {
    async begin() {
      const id = newNonce()
      insert.run(id)
      prune.run(MAX_EPOCHS_COUNT)
      return id
    },
  })
}
