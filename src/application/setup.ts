import { AppError } from '../domain/errors.ts'
import type { Visitor } from '../domain/session.ts'
import type { Instant, User } from '../domain/user.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { OpaqueTokens } from './ports/security.ts'
import type { Clock } from './ports/system.ts'
import type { Registration, Registrations } from './registrations.ts'

/** How long a setup link works. Each start prints a new one. */
export const SETUP_TOKEN_TTL_MS = 24 * 3_600_000

/** 132 bits cannot be guessed. */
const PROOF_LENGTH = 22

/** Creation of the first admin by anyone who can read the output of the server. */
export interface Setup {
  /** A token for {@link Setup.createFirstAdmin}; null if there is an admin. */
  issueToken(): Promise<string | null>
  /**
   * Creates a verified admin. Throws `invalid_link` if the token is not
   * valid or there is an admin, `weak_password`, `email_taken`.
   */
  createFirstAdmin(token: string, registration: Registration, visitor: Visitor): Promise<User>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly opaqueTokens: OpaqueTokens
  readonly users: Pick<Registrations, 'createAdmin'>
  readonly clock: Clock
}

const invalidLink = () =>
  new AppError('invalid_link', 'The setup link is invalid or has expired, or an admin already exists')

/**
 * The token states when it expires and proves it with the server's secret, so nothing is stored, and every process of
 * an installation accepts it. The first admin invalidates all tokens, because the last admin cannot be removed.
 */
export const createSetup = ({ unitOfWork, opaqueTokens, users, clock }: Deps): Setup => {
  const tokenFor = (expiresAt: Instant): string =>
    `${expiresAt.toString(36)}.${opaqueTokens.derive(`setup ${expiresAt}`).slice(0, PROOF_LENGTH)}`

  const isValid = (token: string): boolean => {
    const expiresAt = Number.parseInt(token.split('.')[0] ?? '', 36)
    if (!Number.isSafeInteger(expiresAt) || expiresAt <= clock.now()) return false
    // Hashes are compared, because comparing the tokens would reveal by its duration how much of a guess is right.
    return opaqueTokens.hash(token).toHex() === opaqueTokens.hash(tokenFor(expiresAt)).toHex()
  }

  const hasAdmin = () => unitOfWork.read(async (tx) => (await tx.users.countActiveAdmins()) > 0)

  return {
    async issueToken() {
      return (await hasAdmin()) ? null : tokenFor(clock.now() + SETUP_TOKEN_TTL_MS)
    },

    async createFirstAdmin(token, registration, visitor) {
      if (!isValid(token) || (await hasAdmin())) throw invalidLink()
      return users.createAdmin(registration, {
        visitor,
        async check(tx) {
          if ((await tx.users.countActiveAdmins()) > 0) throw invalidLink()
        },
      })
    },
  }
}
