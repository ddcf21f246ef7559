import type { MailLimitRepository } from '../../application/ports/accounts.ts'
import { insertedRow, type Transaction } from './connection.ts'

export const createMailLimitRepository = (connection: Transaction): MailLimitRepository => ({
  async find(recipient, kind) {
    // A missing row cannot be locked, so it is created, and stays empty if nothing is stored.
    const found = await connection.change<{ times: string }>(
      `INSERT INTO mail_limits (recipient, kind, times, newest_at) VALUES ($1, $2, '[]', 0)
       ON CONFLICT (recipient, kind) DO UPDATE SET kind = excluded.kind RETURNING times`,
      recipient,
      kind,
    )
    return JSON.parse(insertedRow(found).times)
  },
  async put(recipient, kind, times) {
    void connection.change(
      `INSERT INTO mail_limits (recipient, kind, times, newest_at) VALUES ($1, $2, $3, $4)
       ON CONFLICT (recipient, kind) DO UPDATE SET times = $3, newest_at = $4`,
      recipient,
      kind,
      JSON.stringify(times),
      Math.max(...times),
    )
  },
  // A row locked by another unit is about to get a newer mail, so the condition is checked again when it is unlocked.
  async deleteOld(instant, limit) {
    const { count } = await connection.change(
      `DELETE FROM mail_limits WHERE newest_at < $1 AND (recipient, kind) IN
         (SELECT recipient, kind FROM mail_limits WHERE newest_at < $1 LIMIT $2)`,
      instant,
      limit,
    )
    return count
  },
})
