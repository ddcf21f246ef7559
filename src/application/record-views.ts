import type { Collection } from '../domain/collection.ts'
import type { Expression, Value } from '../domain/expression.ts'
import { type Environment, evaluate } from '../domain/expression-evaluation.ts'
import { isList } from '../domain/expression-values.ts'
import type { RecordStorage } from './ports/collections.ts'
import { type ReferenceUse, type Term, termsOf, usesOf, valueKey } from './view-terms.ts'

/**
 * What one or more subscribers see of the records of a collection: those for which its condition holds. Subscribers whose
 * rule and filter come to the same condition have the same key.
 */
export interface RecordView {
  readonly topic: string
  readonly key: string
  readonly collection: Collection
  readonly storage: RecordStorage
  /** Identifies the definitions by which the rule and the filter were checked. */
  readonly definitions: string
  /** As {@link definitions}, but only of what gives records their form. */
  readonly shapes: string
  /** The records that the subscribers may read. Only `record` and `now` are left to be known. */
  readonly rule: Expression
  /** The records of the topic that they may read and that match the filter. */
  readonly condition: Expression
  /** The referenced records that the condition reads; null if they cannot be followed. */
  readonly uses: readonly ReferenceUse[] | null
}

/** The views of a collection, found by the records for which their conditions can hold. */
export interface ViewSet {
  /** Those of the view that was added last. */
  readonly collection: Collection
  readonly storage: RecordStorage
  add(view: RecordView): void
  delete(view: RecordView): void
  readonly size: number
  all(): Iterable<RecordView>
  /** The referenced records that their conditions read; null if those of one view cannot be followed. */
  uses(): readonly ReferenceUse[] | null
  /** Contains every view whose condition holds. */
  candidates(environment: Environment): ReadonlySet<RecordView>
}

interface Index {
  readonly path: Expression
  readonly isList: boolean
  readonly byValue: Map<string, Set<RecordView>>
}

const NONE: ReadonlySet<RecordView> = new Set()

const indexKey = ({ path, isList }: Pick<Term, 'path' | 'isList'>) => `${isList} ${JSON.stringify(path)}`

const elementsOf = (value: Value | undefined, list: boolean): readonly (Value | undefined)[] =>
  list && isList(value) ? value : [value]

/** Finds views by the terms of their conditions. */
const createTermIndex = () => {
  const indexes = new Map<string, Index>()
  /** Views without terms. */
  const others = new Set<RecordView>()

  return {
    add(view: RecordView) {
      const terms = termsOf(view.condition)
      if (terms === null) others.add(view)
      for (const term of terms ?? []) {
        const key = indexKey(term)
        const index = indexes.get(key) ?? { path: term.path, isList: term.isList, byValue: new Map() }
        indexes.set(key, index)
        index.byValue.set(term.value, (index.byValue.get(term.value) ?? new Set()).add(view))
      }
    },
    delete(view: RecordView) {
      others.delete(view)
      for (const term of termsOf(view.condition) ?? []) {
        const key = indexKey(term)
        const index = indexes.get(key)
        const views = index?.byValue.get(term.value)
        views?.delete(view)
        if (views?.size === 0) index?.byValue.delete(term.value)
        if (index?.byValue.size === 0) indexes.delete(key)
      }
    },
    candidates(environment: Environment): ReadonlySet<RecordView> {
      if (indexes.size === 0) return others
      const found = new Set(others)
      for (const { path, isList, byValue } of indexes.values()) {
        for (const element of elementsOf(evaluate(path, environment), isList)) {
          const key = valueKey(element)
          for (const view of (key === null ? undefined : byValue.get(key)) ?? NONE) found.add(view)
        }
      }
      return found
    },
  }
}

/** The referenced records that all views of a set read, counted by view. */
const createUseCounts = () => {
  const counts = new Map<string, { readonly use: ReferenceUse; readonly members: Map<string, number> }>()
  let unfollowedCount = 0
  let merged: readonly ReferenceUse[] | null = []

  return {
    count({ uses }: RecordView, by: 1 | -1) {
      if (uses === null) unfollowedCount += by
      for (const use of uses ?? []) {
        const key = JSON.stringify(use.path)
        const { members } = counts.get(key) ?? { members: new Map() }
        for (const name of use.members) {
          const count = (members.get(name) ?? 0) + by
          if (count === 0) members.delete(name)
          else members.set(name, count)
        }
        if (members.size === 0) counts.delete(key)
        else counts.set(key, { use: { path: use.path, members: new Set(members.keys()) }, members })
      }
      merged = unfollowedCount > 0 ? null : [...counts.values()].map(({ use }) => use)
    },
    merged: () => merged,
  }
}

export const createViewSet = ({ collection, storage }: Pick<RecordView, 'collection' | 'storage'>): ViewSet => {
  const views = new Set<RecordView>()
  const index = createTermIndex()
  const useCounts = createUseCounts()
  let newest = { collection, storage }

  return {
    get collection() {
      return newest.collection
    },
    get storage() {
      return newest.storage
    },
    add(view) {
      if (views.has(view)) return
      views.add(view)
      newest = view
      index.add(view)
      useCounts.count(view, 1)
    },
    delete(view) {
      if (!views.delete(view)) return
      index.delete(view)
      useCounts.count(view, -1)
    },
    get size() {
      return views.size
    },
    all: () => views,
    uses: useCounts.merged,
    candidates: index.candidates,
  }
}

/** A view of the records of a topic. Views with the same key are the same. */
export const createRecordView = (view: Omit<RecordView, 'key' | 'uses'>): RecordView => ({
  ...view,
  key: JSON.stringify([view.topic, view.definitions, view.rule, view.condition]),
  uses: usesOf([view.condition]),
})
