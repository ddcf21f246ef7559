import { AppError } from '../domain/errors.ts'
import { passwordWeakness } from '../domain/user.ts'

/** Throws `weak_password` for a password that is easy to guess for the user of this address. */
export const requireStrong = (password: string, email: string): void => {
  const why = passwordWeakness(password, email)
  if (why !== null) throw new AppError('weak_password', why)
}
