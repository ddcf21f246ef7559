import type { Principal } from '../domain/session.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** A cached result about the rights of a session. */
export interface Confirmed {
  readonly principal: Principal
  /** When the read that last confirmed it began, by the {@link Elapsed} clock. */
  confirmedAt: number
}

/** Limits the age of cached results to one second if notices may be lost. */
export interface Confirmation<Entry extends Confirmed> {
  /**
   * Whether it was confirmed within the last second. Results in use are revalidated in batches before that second is
   * over, so a request rarely has to wait.
   */
  holds(entry: Entry): boolean
}

/** Milliseconds since some moment; never goes back. */
export type Elapsed = () => number

/** The clock for the age of cached results. Tests replace it, so that they do not have to wait for a second. */
export interface Ageing {
  readonly elapsed: Elapsed
  /** How long to gather results in use before revalidating them. Bounds the number of reads per second. */
  readonly gatherMs: number
}

interface Deps<Entry> extends Ageing {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  /** Called for results that are no longer valid. */
  readonly forget: (entry: Entry) => void
}

const HOLDS_FOR = 1_000
const LOOK_AGAIN_AFTER = 300
const AT_ONCE = 500

export const AGEING: Ageing = { elapsed: () => performance.now(), gatherMs: 100 }

export const createConfirmation = <Entry extends Confirmed>(deps: Deps<Entry>): Confirmation<Entry> => {
  const { unitOfWork, clock, forget, elapsed, gatherMs } = deps
  const ageing = new Set<Entry>()
  let looking = false

  const confirm = async (entries: readonly Entry[]): Promise<void> => {
    const startedAt = elapsed()
    const ids = [...new Set(entries.map(({ principal }) => principal.sessionId))]
    const standing = await unitOfWork.read((tx) => tx.sessions.standing(ids, clock.now()))
    const roles = new Map(standing.map(({ sessionId, role }) => [sessionId, role]))
    for (const entry of entries) {
      if (roles.get(entry.principal.sessionId) === entry.principal.role) entry.confirmedAt = startedAt
      else forget(entry)
    }
  }

  const look = async (): Promise<void> => {
    const young = elapsed() - LOOK_AGAIN_AFTER
    const entries = [...ageing].filter(({ confirmedAt }) => confirmedAt < young)
    ageing.clear()
    try {
      for (let from = 0; from < entries.length; from += AT_ONCE) await confirm(entries.slice(from, from + AT_ONCE))
    } catch {
      // Results that could not be revalidated soon expire; the next request that needs one gets the error.
    }
    looking = false
    if (ageing.size > 0) lookSoon()
  }

  const lookSoon = () => {
    if (!looking) setTimeout(look, gatherMs)
    looking = true
  }

  return {
    holds(entry) {
      const age = elapsed() - entry.confirmedAt
      if (age > LOOK_AGAIN_AFTER && age <= HOLDS_FOR) {
        ageing.add(entry)
        lookSoon()
      }
      return age <= HOLDS_FOR
    },
  }
}
