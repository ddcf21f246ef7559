import type { MailLimitRepository } from '../../application/ports/accounts.ts'
import type { Connection } from './database.ts'

export const createMailLimitRepository = (connection: Connection): MailLimitRepository => {
  const find = connection.prepare<{ times: string }, [string, string]>(
    'SELECT times FROM mail_limits WHERE recipient = ? AND kind = ?',
  )
  const put = connection.prepare<unknown, [string, string, string, number]>(
    'INSERT OR REPLACE INTO mail_limits (recipient, kind, times, newest_at) VALUES (?, ?, ?, ?)',
  )
  const old = connection.prepare<unknown, [number, number]>(
    `DELETE FROM mail_limits WHERE (recipient, kind) IN
       (SELECT recipient, kind FROM mail_limits WHERE newest_at < ? LIMIT +?)`,
  )
  return {
    async find(recipient, kind) {
      const row = find.get(recipient, kind)
      return row === null ? [] : JSON.parse(row.times)
    },
    async put(recipient, kind, times) {
      put.run(recipient, kind, JSON.stringify(times), Math.max(...times))
    },
    async deleteOld(instant, limit) {
      return old.run(instant, limit).changes
    },
  }
}
