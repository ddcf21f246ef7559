import type { Instant } from '../domain/user.ts'
import { requireActiveActor } from './access.ts'
import type { Catalog } from './catalog.ts'
import { createMarkGuard } from './deletion-marks.ts'
import type { ApplyPatch, CompileValidator } from './ports/collections.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Reserve } from './ports/system.ts'
import type { Author } from './record-access.ts'
import { beginChange, type Change, type ChangeAuthor, storeChanges } from './record-changes.ts'
import { MAX_AFFECTED_COUNT } from './record-deletions.ts'
import { createPendingForms, createPendingGuard } from './record-forms.ts'
import { requireRoom } from './reserve.ts'

/** Runs units that change records. `work` may run more than once. */
export interface RecordUnits {
  /** With the current rights of the author. Throws `invalid_token`, `inactive_user`. */
  changing<T>(author: Author, work: (change: Change) => Promise<T>): Promise<T>
  /** As {@link changing}, for changes that need space: throws `storage_reserved`. */
  adding<T>(author: Author, work: (change: Change) => Promise<T>): Promise<T>
  /** For the server itself. A deletion that has only marked what it changes is abandoned. */
  serving<T>(logged: ChangeAuthor, work: (change: Change) => Promise<T>): Promise<T>
  /** For the steps of a deletion. */
  marking<T>(logged: ChangeAuthor, work: (change: Change) => Promise<T>): Promise<T>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly reserve: Reserve
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
  /** How many records the deletion of one may delete or change in one transaction. */
  readonly maxAffectedCount?: number
}

export const createRecordUnits = (deps: Deps): RecordUnits => {
  const { catalog, unitOfWork, clock, reserve, maxAffectedCount = MAX_AFFECTED_COUNT } = deps
  const pendingForm = createPendingForms(deps)
  const guardPending = createPendingGuard(unitOfWork)
  const guardMarks = createMarkGuard(unitOfWork, clock)

  const current = async (tx: Tx, author: Author, now: Instant): Promise<Author> =>
    author.userId === null ? author : requireActiveActor(tx, author, now)

  const run = <T>(
    begin: (tx: Tx, now: Instant) => Promise<Change>,
    work: (change: Change) => Promise<T>,
    abandonsDeletions = false,
  ): Promise<T> => {
    const unit = () =>
      unitOfWork.write(async (tx) => {
        const change = await begin(tx, clock.now())
        const result = await work(change)
        await storeChanges(change)
        return result
      })
    return guardMarks(() => guardPending(unit), abandonsDeletions)
  }

  const common = { catalog, pendingForm, maxAffectedCount }
  const beginServing = (logged: ChangeAuthor) => async (tx: Tx, now: Instant) =>
    beginChange(tx, { ...common, author: null, now, logged })

  const changing: RecordUnits['changing'] = (author, work) =>
    run(async (tx, now) => beginChange(tx, { ...common, author: await current(tx, author, now), now }), work)

  return {
    changing,
    adding: (author, work) =>
      changing(author, (change) => {
        requireRoom(reserve, change.authorization.principal)
        return work(change)
      }),
    serving: (logged, work) => run(beginServing(logged), work, true),
    marking: (logged, work) => run(beginServing(logged), work),
  }
}
