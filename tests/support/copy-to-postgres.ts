import { openSha256 } from '../../src/adapters/bun/sha256.ts'
import { createPostgresTarget } from '../../src/adapters/postgres/transfer.ts'
import { openSqliteSource } from '../../src/adapters/sqlite/transfer.ts'
import { fillTarget, summarizeAll } from '../../src/application/copy-rows.ts'

/** Copies the embedded database at `path` to the empty one at `url`, as `skep copy` does. */
export const copyToPostgres = async (path: string, url: string): Promise<void> => {
  const source = openSqliteSource(path)
  try {
    const expected = await summarizeAll(source, source.tables, openSha256, () => {})
    const target = createPostgresTarget(url)
    await target.load((loader) => fillTarget(loader, { source, openSha256, expected, onWritten() {}, onProved() {} }))
  } finally {
    source.close()
  }
}
