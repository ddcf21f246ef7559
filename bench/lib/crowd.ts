import { Database } from 'bun:sqlite'
import { createAccessTokens } from '../../src/adapters/jwt/access-tokens.ts'
import type { Form } from './skep.ts'
import { databaseOf, startSkep } from './skep.ts'

/** What access tokens are signed with, for a server that is started with it. */
export const SECRET = { JWT_SECRET: 'a secret of a benchmark, long enough for it' }

const HOUR_MS = 3_600_000

export interface CrowdOptions {
  readonly form: Form
  readonly folder: string
  readonly users: number
  /** Each with a token of its own. */
  readonly sessionsEach: number
  readonly role: 'user' | 'admin'
}

/**
 * Makes many users and sessions in the database of a server that does not run yet, as signing all of them up would, but
 * for the passwords. Answers an access token of each session.
 */
export const gatherCrowd = async ({ form, folder, users, sessionsEach, role }: CrowdOptions): Promise<string[]> => {
  await (await startSkep(form, { folder, core: null, env: SECRET })).stop()
  using database = new Database(databaseOf(folder), { readwrite: true, create: false, strict: true })
  using addUser = database.prepare<{ readonly id: number }, [string, string, number]>(
    `INSERT INTO users (email, name, role, is_active, email_verified, password_hash, created_at, updated_at)
     VALUES (?1, 'Someone', ?2, 1, 1, 'nobody signs in with it', ?3, ?3) RETURNING id`,
  )
  using addSession = database.prepare<{ readonly id: number }, [number, number, number]>(
    `INSERT INTO sessions (user_id, device, address, created_at, last_used_at, expires_at)
     VALUES (?1, 'Benchmark', '127.0.0.1', ?2, ?2, ?3) RETURNING id`,
  )
  const now = Date.now()
  const sessions: { readonly userId: number; readonly sessionId: number }[] = []
  database.transaction(() => {
    for (let user = 0; user < users; user++) {
      const userId = addUser.get(`someone${user}@example.com`, role, now)?.id ?? Number.NaN
      for (let session = 0; session < sessionsEach; session++) {
        sessions.push({ userId, sessionId: addSession.get(userId, now, now + HOUR_MS)?.id ?? Number.NaN })
      }
    }
  })()
  const { issue } = createAccessTokens(SECRET.JWT_SECRET, { now: Date.now })
  return Promise.all(sessions.map((session) => issue({ ...session, sessionCreatedAt: now, expiresAt: now + HOUR_MS })))
}
