import type { Principal } from '../domain/session.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** A cached result about the rights of a session. */
export interface CachedGrant {
  readonly principal: Principal
  /** When the read that last validated it began, in milliseconds of {@link MonotonicClock}. */
  validatedAt: number
}

/** Limits the age of cached results to one second if notices may be lost. */
export interface Revalidation<Entry extends CachedGrant> {
  /**
   * Whether it was validated within the last second. Results in use are revalidated in batches before that second is
   * over, so a request rarely has to wait.
   */
  isFresh(entry: Entry): boolean
}

/** Milliseconds since an arbitrary moment. */
export type MonotonicClock = () => number

/** The clock for the age of cached results. Tests replace it, so that they do not have to wait for a second. */
export interface RevalidationOptions {
  readonly elapsed: MonotonicClock
  /** How long to gather results in use before revalidating them. Bounds the number of reads per second. */
  readonly coalesceMs: number
}

interface Deps<Entry> extends RevalidationOptions {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  /** Called for results that are no longer valid. */
  readonly drop: (entry: Entry) => void
}

const MAX_AGE_MS = 1_000
const REVALIDATE_AFTER_MS = 300
const MAX_SESSIONS_PER_READ_COUNT = 500

export const SYSTEM_REVALIDATION_OPTIONS: RevalidationOptions = { elapsed: () => performance.now(), coalesceMs: 100 }

export const createRevalidation = <Entry extends CachedGrant>(deps: Deps<Entry>): Revalidation<Entry> => {
  const { unitOfWork, clock, drop, elapsed, coalesceMs } = deps
  const stale = new Set<Entry>()
  let scheduled = false

  const revalidate = async (entries: readonly Entry[]): Promise<void> => {
    const startedAt = elapsed()
    const ids = [...new Set(entries.map(({ principal }) => principal.sessionId))]
    const activePrincipals = await unitOfWork.read((tx) => tx.sessions.findActivePrincipals(ids, clock.now()))
    const roles = new Map(activePrincipals.map(({ sessionId, role }) => [sessionId, role]))
    for (const entry of entries) {
      if (roles.get(entry.principal.sessionId) === entry.principal.role) entry.validatedAt = startedAt
      else drop(entry)
    }
  }

  const revalidateStale = async (): Promise<void> => {
    const newest = elapsed() - REVALIDATE_AFTER_MS
    const entries = [...stale].filter(({ validatedAt }) => validatedAt < newest)
    stale.clear()
    try {
      for (let from = 0; from < entries.length; from += MAX_SESSIONS_PER_READ_COUNT)
        await revalidate(entries.slice(from, from + MAX_SESSIONS_PER_READ_COUNT))
    } catch {
      // Results that could not be revalidated soon expire; the next request that needs one gets the error.
    }
    scheduled = false
    if (stale.size > 0) scheduleRevalidation()
  }

  const scheduleRevalidation = () => {
    if (!scheduled) setTimeout(revalidateStale, coalesceMs)
    scheduled = true
  }

  return {
    isFresh(entry) {
      const age = elapsed() - entry.validatedAt
      if (age > REVALIDATE_AFTER_MS && age <= MAX_AGE_MS) {
        stale.add(entry)
        scheduleRevalidation()
      }
      return age <= MAX_AGE_MS
    },
  }
}
