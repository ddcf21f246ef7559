import type { Principal } from '../domain/session.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** Something remembered of what a session may do. */
export interface Confirmed {
  readonly principal: Principal
  /** When the reading began that last found it right, by the {@link Elapsed} clock. */
  confirmedAt: number
}

/** Keeps what is remembered no older than a second where a notice may be lost. */
export interface Confirmation<Entry extends Confirmed> {
  /**
   * Whether it was found right within the last second. What is in use is looked up again before that second is over,
   * together with all else that is: so it hardly ever has to be waited for.
   */
  holds(entry: Entry): boolean
}

/** Milliseconds since some moment; never goes back. */
export type Elapsed = () => number

/** What measures the age of what is remembered. Tests replace it, so that nothing waits for a second to pass. */
export interface Ageing {
  readonly elapsed: Elapsed
  /** How long to wait for others before looking up what is in use. Bounds how many reads a second that takes. */
  readonly gatherMs: number
}

interface Deps<Entry> extends Ageing {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  /** Hears of what holds no more. */
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
      // What could not be looked up is too old soon; whoever needs it then hears why it cannot be.
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
