import type { Connection } from './database.ts'

type LookUp<Found> = (id: number) => Promise<Found>

export interface Snapshots {
  /** To be called before a read, which then sees what was committed when the first read of this turn began. */
  hold(): void
  /** Lets go, so that the next read sees what was committed since. */
  release(): void
  /**
   * The same look-up, made once for each id until something is committed, by whatever process. Whoever gets a row gets
   * the same object as others.
   */
  remember<Found>(find: LookUp<Found>): LookUp<Found>
}

/** Of each look-up. */
const REMEMBERED_AT_MOST = 1_000

/** One read transaction a turn of the event loop: taking and leaving SQLite's locks costs more than reading a row. */
export const createSnapshots = (reader: Connection): Snapshots => {
  const begin = reader.prepare('BEGIN')
  const commit = reader.prepare('COMMIT')
  // Another number whenever another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
  const dataVersion = reader.prepare<{ data_version: number }, []>('PRAGMA data_version')
  const memories: Map<number, Promise<unknown>>[] = []
  let remembered = 0
  let held = false
  /** Whether what is remembered is what this snapshot holds. */
  let current = false

  const release = () => {
    if (!held) return
    held = false
    current = false
    // An I/O error has ended the transaction already.
    if (reader.database.inTransaction) commit.run()
  }

  return {
    hold() {
      if (held) return
      begin.run()
      held = true
      setImmediate(release)
      const version = dataVersion.get()?.data_version ?? 0
      if (version !== remembered) for (const memory of memories) memory.clear()
      remembered = version
      current = true
    },
    release,
    remember<Found>(find: LookUp<Found>): LookUp<Found> {
      const memory = new Map<number, Promise<Found>>()
      memories.push(memory)
      return (id) => {
        if (!current) return find(id)
        const known = memory.get(id)
        if (known !== undefined) return known
        const found = find(id)
        if (memory.size >= REMEMBERED_AT_MOST) memory.clear()
        memory.set(id, found)
        // The next one tries again.
        found.catch(() => memory.delete(id))
        return found
      }
    },
  }
}
