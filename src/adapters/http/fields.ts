import { LINE_PATTERN } from '../../domain/text.ts'
import { isEmail, isUserName, USER_LIMITS } from '../../domain/user.ts'
import { characters, text } from './schemas.ts'

export const Email = text({
  accepts: isEmail,
  expects: 'an email address',
  openapi: { type: 'string', format: 'email', ...USER_LIMITS.email },
})

export const Name = text({
  accepts: isUserName,
  expects: '1 to 200 visible characters',
  openapi: { type: 'string', ...USER_LIMITS.name, pattern: LINE_PATTERN, description: 'One line' },
})

/** A password that is being set. */
export const Password = characters(USER_LIMITS.password, { format: 'password' })

/** A password that is being checked: whatever its length, it is right or wrong. */
export const CurrentPassword = characters({ maxLength: USER_LIMITS.password.maxLength }, { format: 'password' })
