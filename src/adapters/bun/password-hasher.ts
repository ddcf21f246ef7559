import { availableParallelism } from 'node:os'
import type { PasswordHasher } from '../../application/ports/security.ts'
import { networksOf } from '../../domain/network.ts'
import { normalizePassword } from '../../domain/user.ts'
import { createFairQueue } from './fair-queue.ts'

interface Options {
  /** KiB. */
  readonly memoryCost?: number
  readonly timeCost?: number
  /** Maximum number of concurrent hashes, each on its own thread. */
  readonly concurrency?: number
  /** Maximum number of waiting callers; more are refused with `overloaded`. */
  readonly waiting?: number
  /** Milliseconds after which a waiting caller is refused too. */
  readonly turnTimeoutMs?: number
}

/** Argon2id with the parameters of OWASP's Password Storage Cheat Sheet (19 MiB, two passes). */
export const createPasswordHasher = ({
  memoryCost = 19_456,
  timeCost = 2,
  concurrency = availableParallelism(),
  waiting = 256,
  // Well before idle connections are closed, which would leave the caller without a response.
  turnTimeoutMs = 10_000,
}: Options = {}): PasswordHasher => {
  const options = { algorithm: 'argon2id', memoryCost, timeCost } as const
  const queue = createFairQueue({ concurrency, waiting, turnTimeoutMs })
  const runBounded = <T>(address: string, work: () => Promise<T>) => queue.run(networksOf(address).widest, work)
  // No password has this hash; verifying against it takes the same time, because it has the same parameters.
  const decoy = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=1$${'A'.repeat(43)}$${'A'.repeat(43)}`

  return {
    hash: (password, address = '') =>
      runBounded(address, () => Bun.password.hash(normalizePassword(password), options)),
    verify: (password, hash, address = '') =>
      runBounded(address, async () => {
        if (password === '') {
          await Bun.password.verify('\0', hash ?? decoy)
          return false
        }
        // Hashes made before passwords were normalized are of what was typed then.
        for (const spelling of new Set([normalizePassword(password), password, password.normalize('NFD')])) {
          if (await Bun.password.verify(spelling, hash ?? decoy)) return hash !== null
        }
        return false
      }),
  }
}
