import { readFileSync, writeFileSync } from 'node:fs'
import { openWriter } from '../../src/adapters/sqlite/database.ts'
import { migrate } from '../../src/adapters/sqlite/migrate.ts'

let template: Uint8Array | null = null

/** Creates an empty, migrated database at `path`. All but the first of a test file are copies, which cost less. */
export const createMigratedDatabase = (path: string): void => {
  if (template !== null) {
    writeFileSync(path, template, { mode: 0o600 })
    return
  }
  const { database, close } = openWriter(path)
  migrate(database)
  close()
  template = readFileSync(path)
}
