import type { MailLimitRepository } from '../../application/ports/accounts.ts'
import { mailLimits } from '../sql/entities.ts'
import { upsertInto } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { deleteSome, prepareChange, prepareFind } from './rows.ts'

export const createMailLimitRepository = (connection: Connection): MailLimitRepository => {
  const find = prepareFind(connection, mailLimits, 'recipient = ? AND kind = ?')
  const put = prepareChange(connection, upsertInto(mailLimits))
  const removeOld = prepareChange(connection, deleteSome(mailLimits, 'newest_at < ?'))
  return {
    find: async (recipient, kind) => find(recipient, kind)?.times ?? [],
    async put(recipient, kind, times) {
      put(...mailLimits.valuesOf({ recipient, kind, times, newestAt: Math.max(...times) }))
    },
    deleteOld: async (instant, limit) => removeOld(instant, limit),
  }
}
