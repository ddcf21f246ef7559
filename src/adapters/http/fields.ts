import { t } from 'elysia'
import { EMAIL_PATTERN, LINE_PATTERN, linePattern, USER_LIMITS } from '../../domain/user.ts'
import { characters } from './schemas.ts'

export const Email = t.String({
  ...USER_LIMITS.email,
  pattern: EMAIL_PATTERN,
  expects: 'an email address',
  openapi: { type: 'string', format: 'email', ...USER_LIMITS.email },
})

export const Name = t.String({
  pattern: linePattern(USER_LIMITS.name),
  expects: '1 to 200 visible characters',
  openapi: { type: 'string', ...USER_LIMITS.name, pattern: LINE_PATTERN, description: 'One line' },
})

/** A password that is being set. */
export const Password = characters(USER_LIMITS.password, { format: 'password' })

/** A password that is being checked: whatever its length, it is right or wrong. */
export const CurrentPassword = characters({ maxLength: USER_LIMITS.password.maxLength }, { format: 'password' })
