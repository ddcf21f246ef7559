import { Database } from 'bun:sqlite'

interface UserRow {
  readonly id: number
  readonly email: string
  readonly name: string
  readonly role: string
  readonly is_active: number
  readonly email_verified: number
  readonly created_at: number
  readonly updated_at: number
}

/** Reads users as Skep does: the same file, in the same mode, with the same statement. */
export const openUsers = (path: string | undefined) => {
  const database = new Database(path, { readwrite: true, create: false, strict: true })
  database.run('PRAGMA cache_size = -16000')
  database.run('PRAGMA query_only = ON')
  return database.prepare<UserRow, [number]>('SELECT * FROM users WHERE id = ?')
}

/** What a floor answers of a user. */
export const userBody = (row: UserRow) => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  is_active: row.is_active === 1,
  email_verified: row.email_verified === 1,
  created_at: new Date(row.created_at).toISOString(),
  updated_at: new Date(row.updated_at).toISOString(),
})
