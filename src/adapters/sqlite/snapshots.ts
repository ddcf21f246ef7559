import type { Connection } from './database.ts'

export interface Snapshots {
  /** To be called before a read, which then sees what was committed when the first read of this turn began. */
  hold(): void
  /** Lets go, so that the next read sees what was committed since. */
  release(): void
}

/** One read transaction a turn of the event loop: taking and leaving SQLite's locks costs more than reading a row. */
export const createSnapshots = (reader: Connection): Snapshots => {
  const begin = reader.prepare('BEGIN')
  const commit = reader.prepare('COMMIT')
  let held = false

  const release = () => {
    if (!held) return
    held = false
    // An I/O error has ended the transaction already.
    if (reader.database.inTransaction) commit.run()
  }

  return {
    hold() {
      if (held) return
      begin.run()
      held = true
      setImmediate(release)
    },
    release,
  }
}
