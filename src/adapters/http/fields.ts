import { t } from 'elysia'
import { EMAIL_PATTERN, LINE_PATTERN, NAME_PATTERN, USER_LIMITS, WELL_FORMED_PATTERN } from '../../domain/user.ts'

export const Email = t.String({
  ...USER_LIMITS.email,
  pattern: EMAIL_PATTERN,
  expects: 'an email address',
  openapi: { type: 'string', format: 'email', ...USER_LIMITS.email },
})

export const Name = t.String({
  ...USER_LIMITS.name,
  pattern: NAME_PATTERN,
  expects: '1 to 200 visible characters',
  openapi: { type: 'string', ...USER_LIMITS.name, pattern: LINE_PATTERN, description: 'One line' },
})

/** A password that is being set. */
export const Password = t.String({
  ...USER_LIMITS.password,
  pattern: WELL_FORMED_PATTERN,
  expects: '8 to 128 characters',
  openapi: { type: 'string', format: 'password', ...USER_LIMITS.password },
})

/** A password that is being checked: whatever its length, it is right or wrong. */
export const CurrentPassword = t.String({
  maxLength: USER_LIMITS.password.maxLength,
  openapi: { type: 'string', format: 'password', maxLength: USER_LIMITS.password.maxLength },
})
