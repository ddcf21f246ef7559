import type { MailLimitRepository } from '../../application/ports/accounts.ts'
import { mailLimits } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { insertedRow, type Transaction } from './connection.ts'
import { deleteSome, replacerOf } from './rows.ts'

const putLimit = replacerOf(mailLimits)

export const createMailLimitRepository = (connection: Transaction): MailLimitRepository => ({
  async find(recipient, kind) {
    // A missing row cannot be locked, so it is created, and stays empty if nothing is stored.
    const found = await connection.change<Row>(
      `INSERT INTO mail_limits (recipient, kind, times, newest_at) VALUES ($1, $2, '[]', 0)
       ON CONFLICT (recipient, kind) DO UPDATE SET kind = excluded.kind RETURNING *`,
      recipient,
      kind,
    )
    return mailLimits.fromRow(insertedRow(found)).times
  },
  async put(recipient, kind, times) {
    putLimit(connection, { recipient, kind, times, newestAt: Math.max(...times) })
  },
  // A row locked by another unit is about to get a newer mail, so the condition is checked again when it is unlocked.
  async deleteOld(instant, limit) {
    const { count } = await deleteSome(connection, mailLimits, 'newest_at < $1', [instant], limit)
    return count
  },
})
