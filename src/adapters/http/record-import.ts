import { t } from 'elysia'
import { choiceOf, queryOf } from './schemas.ts'

export const ImportQuery = queryOf({
  dry_run: t.Optional(
    choiceOf(['true', 'false'], { default: 'false', description: '`true` validates and stores nothing' }),
  ),
})

export const ImportResult = t.Object({}, { title: 'ImportResult' })
