import type { MailLimitRepository } from '../../application/ports/persistence.ts'
import { insertedRow, type Transaction } from './connection.ts'

export const createMailLimitRepository = (connection: Transaction): MailLimitRepository => ({
  async find(recipient, kind) {
    // A row that is not there cannot be locked: it is made, and stays empty if nothing is put.
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
  // A row that another unit has locked is about to get a newer mail, so it is asked about once more when it is free.
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
