import type { ReferenceAction } from '../domain/collection.ts'
import { ownFields, type StoredRecord } from '../domain/record.ts'
import type { Catalog, CompiledCollection, Referrer } from './catalog.ts'
import type { StoredCollection } from './ports/collections.ts'
import { type Deletion, Marked, type Referrer as MarkedReferrer, type ReferrerPosition } from './ports/deletions.ts'
import type { Tx } from './ports/persistence.ts'
import type { Change } from './record-changes.ts'
import { checkPending, clearedRecord, referencedBy } from './record-deletions.ts'
import type { RecordUnits } from './record-units.ts'

/** Renewed by each step, so an expired lease means that the process is gone. */
export const LEASE_MS = 15_000

/** The work of one step: each look-up of referrers counts, and each of them. Records may be large. */
const MAX_STEP_COUNT = 100

/** Thrown when the deletion was abandoned meanwhile, or relies on definitions that have changed. */
export class OutdatedDeletion extends Error {}

/** The deletion, if it is still marking records. Throws {@link OutdatedDeletion}. */
export const requireMarking = async (tx: Tx, id: number): Promise<Deletion> => {
  const deletion = await tx.deletions.find(id)
  if (deletion?.state !== 'marking') throw new OutdatedDeletion('the deletion was abandoned')
  return deletion
}

/** The progress that a step stores in the deletion. */
interface Progress {
  readonly deletion: Deletion
  readonly reached: Map<string, number>
  readonly cleared: Map<string, Set<string>>
}

/** Processes the records that reference a target of a level. Returns how many it has marked for deletion. */
type Visit = (
  progress: Progress,
  at: { readonly referrer: Referrer; readonly stored: StoredCollection; readonly level: number; readonly id: number },
  change: Change,
  found: readonly MarkedReferrer[],
) => Promise<number>

/**
 * Call it before a record is marked. If an earlier deletion has cleared references of the record, stores it without them,
 * so that its mark can be replaced.
 */
export const storeCleared = async (
  { tx, pendingForm }: Change,
  compiled: CompiledCollection,
  record: StoredRecord,
): Promise<void> => {
  if (compiled.stored === null || compiled.stored.deletions.clearedFields.length === 0) return
  await tx.records(compiled.storage).update(record, pendingForm(compiled, record))
}

/** Marks the records that are deleted with what they reference. */
const markDependents: Visit = async ({ deletion, reached }, { referrer, stored, level }, change, found) => {
  const ids = new Set<number>()
  for (const { record, mark } of found) {
    if (mark === null) {
      if (!ids.has(record.id)) await storeCleared(change, referrer.compiled, record)
      ids.add(record.id)
    } else if (mark.deletionId !== deletion.id) throw new Marked(mark.deletionId, stored)
  }
  if (ids.size === 0) return 0
  await change.tx.deletions.recordsOf(stored).mark(deletion.id, [...ids], level + 1)
  reached.set(String(stored.id), (reached.get(String(stored.id)) ?? 0) + ids.size)
  return ids.size
}

/** Marks the records that stay, and lose their references. Throws `referenced` for one that does not allow it. */
const markRemaining: Visit = async ({ deletion, reached, cleared }, { referrer, stored, id }, change, found) => {
  const { compiled, field } = referrer
  for (const { record, mark } of found) {
    const isOwn = mark?.deletionId === deletion.id
    if (isOwn && mark.level !== null) continue
    if (field.action === 'restrict') throw referencedBy(compiled)
    if (mark !== null && !isOwn) throw new Marked(mark.deletionId, stored)
    const after = clearedRecord({ compiled, record, fields: new Map([[field.name, new Set([id])]]) })
    if (after === null) throw referencedBy(compiled)
    if (mark === null) await storeCleared(change, compiled, record)
    await change.tx.deletions
      .recordsOf(stored)
      .markCleared(deletion.id, record.id, ownFields(compiled.collection, after))
    const key = String(stored.id)
    reached.set(key, reached.get(key) ?? 0)
    cleared.set(key, (cleared.get(key) ?? new Set()).add(field.name))
  }
  return 0
}

/** Where a walk continues: after a target, or among the referrers of the next one. */
interface Cursor {
  readonly after: number
  readonly within: { readonly field: number; readonly position: ReferrerPosition | null } | null
}

interface StepResult {
  /** Null at the end of the level of a collection. */
  readonly next: Cursor | null
  readonly markedCount: number
}

interface Walk {
  readonly catalog: Catalog
  readonly units: RecordUnits
  readonly deletion: Deletion
}

const START: Cursor = { after: 0, within: null }

/** The targets of a level in one collection, or the file or record of a collection in code that is deleted. */
const targetsOf = async (
  tx: Tx,
  compiled: CompiledCollection | null,
  { id, targetId }: Deletion,
  level: number,
  after: number,
) => {
  const stored = compiled?.stored ?? null
  if (stored !== null) return tx.deletions.recordsOf(stored).ofLevel(id, level, { after, limit: MAX_STEP_COUNT })
  return after < targetId ? [targetId] : []
}

const createStep =
  ({ catalog, deletion: { id } }: Walk, actions: readonly ReferenceAction[], visit: Visit) =>
  async (change: Change, name: string, level: number, cursor: Cursor): Promise<StepResult> => {
    const { tx, now } = change
    const deletion = await requireMarking(tx, id)
    const progress: Progress = {
      deletion,
      reached: new Map(Object.entries(deletion.reached)),
      cleared: new Map(Object.entries(deletion.cleared).map(([key, fields]) => [key, new Set(fields)])),
    }
    const all = await catalog.referrersOf(tx, name)
    const referrers = all.filter(({ field }) => actions.includes(field.action))
    const compiled = name === 'files' ? null : await catalog.named(tx, name)
    const targets = await targetsOf(tx, compiled, deletion, level, cursor.after)
    await checkPending(change, { target: name, ids: targets })
    let { within } = cursor
    let after = cursor.after
    let cost = 0
    let markedCount = 0

    const finish = async (next: Cursor | null): Promise<StepResult> => {
      const cleared = Object.fromEntries([...progress.cleared].map(([key, fields]) => [key, [...fields]]))
      const reached = Object.fromEntries(progress.reached)
      await tx.deletions.update({ ...deletion, leaseUntil: now + LEASE_MS, reached, cleared })
      return { next, markedCount }
    }

    if (referrers.length === 0) return finish(null)
    for (const target of targets) {
      for (let at = within?.field ?? 0; at < referrers.length; at++) {
        let position = within?.position ?? null
        within = null
        const referrer = referrers[at]
        const stored = referrer?.compiled.stored ?? null
        if (referrer === undefined || stored === null) continue
        do {
          if (cost >= MAX_STEP_COUNT) return finish({ after, within: { field: at, position } })
          const page = { after: position, limit: MAX_STEP_COUNT - cost }
          const { found, next } = await tx.deletions.recordsOf(stored).referrers(referrer.field.name, target, page)
          markedCount += await visit(progress, { referrer, stored, level, id: target }, change, found)
          cost += 1 + found.length
          position = next
        } while (position !== null)
      }
      after = target
    }
    return finish(targets.length < MAX_STEP_COUNT ? null : { after, within: null })
  }

/** The names of the collections in which records are marked. */
const reachedNames = async (tx: Tx, id: number): Promise<readonly string[]> => {
  const deletion = await requireMarking(tx, id)
  const all = await tx.collections.all()
  return all.filter((stored) => Object.hasOwn(deletion.reached, stored.id)).map(({ collection }) => collection.name)
}

/**
 * Marks everything that a deletion affects, in short units: first the records that are deleted with it, level by level, and
 * then, because they depend on all of these, the records that stay and lose references. Throws `referenced`, and
 * {@link OutdatedDeletion}.
 */
export const markAll = async (walk: Walk): Promise<void> => {
  const { units, deletion } = walk
  const level = async (step: ReturnType<typeof createStep>, at: number): Promise<number> => {
    const names =
      at === 0 ? [deletion.target] : await units.marking(deletion, ({ tx }) => reachedNames(tx, deletion.id))
    let markedCount = 0
    for (const name of names) {
      let cursor: Cursor | null = START
      while (cursor !== null) {
        const from: Cursor = cursor
        const result = await units.marking(deletion, (change) => step(change, name, at, from))
        markedCount += result.markedCount
        cursor = result.next
      }
    }
    return markedCount
  }
  const mark = createStep(walk, ['cascade'], markDependents)
  let depth = 0
  while ((await level(mark, depth)) > 0) depth++
  const clear = createStep(walk, ['restrict', 'clear'], markRemaining)
  for (let at = 0; at <= depth; at++) await level(clear, at)
}
