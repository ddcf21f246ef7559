import type { Connection } from './database.ts'
import type { Durability } from './group-commit.ts'
import type { Snapshots } from './snapshots.ts'
import type { Wal } from './wal.ts'

interface Options {
  readonly reader: Connection
  readonly snapshots: Snapshots
  readonly wal: Wal
  /** Called when what was committed may not be on the disk, and cannot be taken back. */
  readonly onLost: (error: Error) => void
}

/** Pages in the log at which they are moved into the database file, as SQLite does by itself. */
const MUCH = 1_000

const never = new Promise<never>(() => {})

/** For a writer that neither syncs its commits nor moves the log. */
export const createDurability = ({ reader, snapshots, wal, onLost }: Options): Durability => {
  // Moves nothing: `log` is how many pages the log holds.
  const held = reader.prepare<{ readonly log: number }, []>('PRAGMA wal_checkpoint(NOOP)')
  /** Pages in the log when they were last moved: what was in somebody's way then needs time. */
  let moved = 0

  const grown = (): boolean => {
    const { log } = held.get() ?? { log: 0 }
    if (log < moved) moved = 0
    if (log - moved < MUCH) return false
    moved = log
    return true
  }

  return {
    hide: snapshots.pin,
    sync: () =>
      wal.sync().catch((error) => {
        onLost(new Error('what was committed may not be on the disk', { cause: error }))
        return never
      }),
    async tidy() {
      snapshots.release()
      try {
        if (!grown()) return
        await wal.checkpoint()
      } catch {
        // As with SQLite's own: the log goes on, and it is tried again when there is more.
      }
      // Who reads from the log keeps it from beginning anew.
      snapshots.release()
    },
  }
}
