import { Database } from 'bun:sqlite'
import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { openWriter } from '../../src/adapters/sqlite/database.ts'
import { migrate } from '../../src/adapters/sqlite/migrate.ts'

/** Every file below a folder with the hash of its bytes; not the lock, which whoever takes it cleans up. */
export const bytesBelow = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true })
      .map(String)
      .filter((name) => !/\.lock(-journal)?$/.test(name) && statSync(join(folder, name)).isFile())
      .map((name) => [name, Bun.CryptoHasher.hash('sha256', readFileSync(join(folder, name)), 'hex')]),
  )

/** Changes the database of an installation that nobody serves, and leaves no log beside it. */
export const change = (dataDir: string, work: (database: Database) => void): void => {
  const { database, close } = openWriter(join(dataDir, 'skep.db'))
  work(database)
  close()
}

export const ask = <Row>(dataDir: string, sql: string): Row[] => {
  using database = new Database(join(dataDir, 'skep.db'))
  return database.query<Row, []>(sql).all()
}

/** An installation with one user, so many items, each with its event, and so many files of so many bytes. */
export const makeInstallation = async (
  dataDir: string,
  { items = 3, files = 0, size = 100 }: { items?: number; files?: number; size?: number } = {},
): Promise<void> => {
  mkdirSync(dataDir, { recursive: true })
  const blobs = createFsBlobStore(join(dataDir, 'files'))
  await blobs.prepare()
  const kept = await Promise.all(
    Array.from({ length: files }, (_, nth) =>
      blobs.write(
        (async function* () {
          yield new Uint8Array(size).fill(nth)
        })(),
      ),
    ),
  )
  change(dataDir, (database) => {
    migrate(database)
    database.run('BEGIN')
    database.run("INSERT INTO users VALUES (1, 'ann@example.com', 'Ann', 'admin', 1, 1, 'hash', 1, 1)")
    database.run("INSERT INTO epochs (first_cursor, nonce) VALUES (1, 'aaaaaaaaaa')")
    const item = database.prepare(
      "INSERT INTO items (id, owner_id, title, data, version, created_at, updated_at) VALUES (?, 1, ?, '{}', 1, 1, 1)",
    )
    const event = database.prepare(
      "INSERT INTO events (cursor, event, subject_id, owner_id, data, actor_id, request_id, created_at) VALUES (?, 'item.created', ?, 1, '{}', 1, 'r', 1)",
    )
    for (let id = 1; id <= items; id++) {
      item.run(id, `item ${id}`)
      event.run(id, id)
    }
    item.finalize()
    event.finalize()
    for (const { key, size: bytes, sha256 } of kept) {
      database.run(
        "INSERT INTO files (owner_id, filename, content_type, size, sha256, blob_key, created_at) VALUES (1, 'f', 'a/b', ?, ?, ?, 1)",
        [bytes, sha256, key],
      )
    }
    database.run('COMMIT')
  })
}
