import type { Instant } from '../domain/user.ts'
import { requireActiveActor } from './access.ts'
import type { Catalog } from './catalog.ts'
import type { ApplyPatch, CompileValidator } from './ports/collections.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Reserve } from './ports/system.ts'
import type { Author } from './record-access.ts'
import { beginChange, type Change, type ChangeAuthor, storeChanges } from './record-changes.ts'
import { createPendingForms, createPendingGuard } from './record-forms.ts'
import { requireRoom } from './reserve.ts'

/** Runs units that change records. `work` may run more than once. */
export interface RecordUnits {
  /** With the current rights of the author. Throws `invalid_token`, `inactive_user`. */
  changing<T>(author: Author, work: (change: Change) => Promise<T>): Promise<T>
  /** As {@link changing}, for changes that need space: throws `storage_reserved`. */
  adding<T>(author: Author, work: (change: Change) => Promise<T>): Promise<T>
  /** For the server itself. */
  serving<T>(logged: ChangeAuthor, work: (change: Change) => Promise<T>): Promise<T>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly reserve: Reserve
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
}

export const createRecordUnits = (deps: Deps): RecordUnits => {
  const { catalog, unitOfWork, clock, reserve } = deps
  const pendingForm = createPendingForms(deps)
  const guarded = createPendingGuard(unitOfWork)

  const current = async (tx: Tx, author: Author, now: Instant): Promise<Author> =>
    author.userId === null ? author : requireActiveActor(tx, author, now)

  const run = <T>(begin: (tx: Tx, now: Instant) => Promise<Change>, work: (change: Change) => Promise<T>): Promise<T> =>
    guarded(() =>
      unitOfWork.write(async (tx) => {
        const change = await begin(tx, clock.now())
        const result = await work(change)
        await storeChanges(change)
        return result
      }),
    )

  const changing: RecordUnits['changing'] = (author, work) =>
    run(async (tx, now) => beginChange(tx, { catalog, author: await current(tx, author, now), now, pendingForm }), work)

  return {
    changing,
    adding: (author, work) =>
      changing(author, (change) => {
        requireRoom(reserve, change.authorization.principal)
        return work(change)
      }),
    serving: (logged, work) =>
      run(async (tx, now) => beginChange(tx, { catalog, author: null, now, pendingForm, logged }), work),
  }
}
