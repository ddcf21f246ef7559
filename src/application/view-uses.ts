import type { LoggedEvent } from '../domain/event.ts'
import type { Referenced } from '../domain/expression-evaluation.ts'
import { subjectKey } from './record-states.ts'
import type { ViewSet } from './record-views.ts'
import type { ReferenceUse } from './view-terms.ts'
import type { ViewDeps } from './view-visibility.ts'

/** The members of referenced records that rules and filters name, as stored in the log. */
const LOGGED_NAMES: ReadonlyMap<string, string> = new Map([
  ['owner_id', 'ownerId'],
  ['created_at', 'createdAt'],
  ['updated_at', 'updatedAt'],
])

/** Whether two states are the same to conditions that read these members. */
export const isSame = (one: Referenced | null, other: Referenced | null, members: Iterable<string>): boolean => {
  if (one === null || other === null) return one === other
  for (const member of members) {
    const name = LOGGED_NAMES.get(member) ?? member
    if (JSON.stringify(one[name] ?? null) !== JSON.stringify(other[name] ?? null)) return false
  }
  return true
}

/** The target of a reference, if it is in this collection. */
export const leadsTo = ({ path }: ReferenceUse, target: string): boolean => path.at(-1)?.target === target

/** Which referenced records the views of sets read. */
export const createViewUses = ({ sets, states, formerViews: formersOf = () => [] }: ViewDeps) => {
  /** The referenced records that views of a set read, or have read; null if those of one view cannot be followed. */
  const usesOf = (set: ViewSet): readonly ReferenceUse[] | null => {
    const uses = set.uses()
    const formers = formersOf()
    if (uses === null || formers.some((former) => former.uses === null)) return null
    return [...uses, ...formers.flatMap((former) => former.uses ?? [])]
  }

  /** The sets with views that read records of this collection. */
  const setsReading = (kind: string): readonly ViewSet[] =>
    [...sets.values()].filter((set) => usesOf(set)?.some((use) => leadsTo(use, kind)) ?? set.collection.name !== kind)

  /**
   * The records that this one referenced and that have changed since the event before. That change was not followed beyond
   * this record if this record was already known to have a later event.
   */
  const replacedKeys = (
    { path: [first, second] }: ReferenceUse,
    { kind, data }: LoggedEvent,
    previous: Referenced | null,
    since: number,
  ): readonly string[] => {
    if (first?.target !== kind || second === undefined) return []
    const ids = [previous?.[second.field], data[second.field]].filter((id) => typeof id === 'number')
    const keys = ids.map((id) => subjectKey(second.target, id))
    return keys.filter((key) => states.replacementsOf([key], since).length > 0)
  }

  return { usesOf, setsReading, replacedKeys }
}
