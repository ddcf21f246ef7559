import { notFound } from '../domain/errors.ts'
import type { Page } from '../domain/page.ts'
import type { Principal, Session } from '../domain/session.ts'
import { confirmHeld } from './access.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { SessionQuery, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** A user's own sessions: nobody sees or ends another's. */
export interface Sessions {
  list(actor: Principal, query: Omit<SessionQuery, 'userId' | 'aliveAt'>): Promise<Page<Session>>
  /** Throws `not_found`, also for another's session. */
  end(actor: Principal, id: number): Promise<void>
  /** Ends every session, the actor's too, and the signed links that the actor made. */
  endAll(actor: Principal): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly notices: AccessNotices
  readonly clock: Clock
}

export const createSessions = ({ unitOfWork, notices, clock }: Deps): Sessions => ({
  list: ({ userId }, query) => unitOfWork.read((tx) => tx.sessions.list({ ...query, userId, aliveAt: clock.now() })),

  async end(actor, id) {
    const { userId } = actor
    await unitOfWork.write(async (tx) => {
      await confirmHeld(tx, actor, clock.now())
      const session = await tx.sessions.findById(id)
      if (session?.userId !== userId) throw notFound('Session')
      await tx.sessions.delete(id)
    })
    await notices.publish(userId)
  },

  async endAll(actor) {
    await unitOfWork.write(async (tx) => {
      await confirmHeld(tx, actor, clock.now())
      await tx.sessions.deleteAll(actor.userId, null)
      await tx.fileLinks.deleteAll({ makerId: actor.userId })
    })
    await notices.publish(actor.userId)
  },
})
