import { availableParallelism } from 'node:os'
import type { PasswordHasher } from '../../application/ports/security.ts'
import { AppError } from '../../domain/errors.ts'

interface Options {
  /** KiB. */
  readonly memoryCost?: number
  readonly timeCost?: number
  /** How many hash at the same time, each on a thread of its own. */
  readonly concurrency?: number
  /** How many may wait for their turn; more are refused with `overloaded`. */
  readonly waiting?: number
  /** Milliseconds after which one who still waits is refused as well. */
  readonly patience?: number
}

interface Waiting {
  readonly since: number
  readonly begin: () => void
  readonly refuse: (reason: AppError) => void
}

const overloaded = () => new AppError('overloaded', 'Too many passwords are being checked', { retryAfter: 5 })

/** Argon2id with the parameters of OWASP's Password Storage Cheat Sheet (19 MiB, two passes). */
export const createPasswordHasher = ({
  memoryCost = 19_456,
  timeCost = 2,
  concurrency = availableParallelism(),
  waiting = 256,
  // Well before a connection on which nothing moves is cut, which would leave the caller without an answer.
  patience = 10_000,
}: Options = {}): PasswordHasher => {
  const options = { algorithm: 'argon2id', memoryCost, timeCost } as const
  const queue: Waiting[] = []
  let running = 0
  // No password has this hash; with the same parameters it costs the same time to find that out.
  const decoy = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=1$${'A'.repeat(43)}$${'A'.repeat(43)}`

  /** The next whose turn has not come too late. */
  const nextInTime = (): Waiting | undefined => {
    for (;;) {
      const next = queue.shift()
      if (next === undefined || performance.now() - next.since <= patience) return next
      next.refuse(overloaded())
    }
  }

  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= concurrency) {
      if (queue.length >= waiting) throw overloaded()
      await new Promise<void>((begin, refuse) => queue.push({ since: performance.now(), begin, refuse }))
    } else running++
    try {
      return await work()
    } finally {
      const next = nextInTime()
      if (next !== undefined) next.begin()
      else running--
    }
  }

  return {
    hash: (password) => bounded(() => Bun.password.hash(password, options)),
    verify: (password, hash) =>
      bounded(async () => {
        const valid = await Bun.password.verify(password === '' ? '\0' : password, hash ?? decoy)
        return valid && hash !== null && password !== ''
      }),
  }
}
