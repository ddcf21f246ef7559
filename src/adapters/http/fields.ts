import { AppError } from '../../domain/errors.ts'
import { isText, LINE_PATTERN } from '../../domain/text.ts'
import { isEmail, isPassword, isUserName, USER_LIMITS } from '../../domain/user.ts'
import { HttpProblem } from './problems.ts'
import { text } from './schemas.ts'

/** The user in the document's examples. */
export const PERSON = { email: 'ann@example.com', name: 'Ann Lee', password: 'correct horse battery' } as const

export const Email = text({
  accepts: isEmail,
  expects: 'an email address',
  openapi: { type: 'string', format: 'email', ...USER_LIMITS.email, examples: [PERSON.email] },
})

export const Name = text({
  accepts: isUserName,
  expects: '1 to 200 visible characters',
  openapi: {
    type: 'string',
    ...USER_LIMITS.name,
    pattern: LINE_PATTERN,
    description: 'One line',
    examples: [PERSON.name],
  },
})

const PASSWORD_LENGTH = `${USER_LIMITS.password.minLength} to ${USER_LIMITS.password.maxLength} characters`

/** A password before normalization, which may have up to four times as many characters as in NFC. */
const typed = (minLength: number, documented: number, example: string) => {
  const { maxLength } = USER_LIMITS.password
  return text({
    accepts: (given) => isText(given, { minLength, maxLength: 4 * maxLength }),
    expects: PASSWORD_LENGTH,
    openapi: { type: 'string', format: 'password', minLength, maxLength: documented, examples: [example] },
  })
}

/** A new password, to be checked by {@link settingPassword}. */
export const Password = typed(USER_LIMITS.password.minLength, USER_LIMITS.password.maxLength, PERSON.password)

/** A password to verify. Any length is accepted, because it is simply right or wrong. */
export const CurrentPassword = typed(0, 4 * USER_LIMITS.password.maxLength, PERSON.password)

/** Sets the password at `pointer` of the request. Throws 422 with that pointer if it is too long or too weak. */
export const settingPassword = async <T>(password: string, pointer: string, set: () => Promise<T>): Promise<T> => {
  const refused = (code: 'validation_failed' | 'weak_password', message: string, detail: string) =>
    new HttpProblem(code, message, { errors: [{ in: 'body', pointer, detail }] })
  if (!isPassword(password)) {
    throw refused('validation_failed', 'The body does not have the expected form', `Expected ${PASSWORD_LENGTH}`)
  }
  try {
    return await set()
  } catch (error) {
    if (!(error instanceof AppError && error.code === 'weak_password')) throw error
    throw refused('weak_password', error.message, error.message)
  }
}
