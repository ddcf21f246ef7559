import type { FindReferenced, Referenced } from '../../domain/expression-evaluation.ts'
import { type Budget, MAX_STEP_BYTES, MAX_STEP_ROWS_COUNT } from './record-budget.ts'
import { codeLayout } from './record-layout.ts'
import type { QueryDatabase, RecordSource } from './record-source.ts'

/** The referenced records that one request has loaded. */
export interface References {
  readonly find: FindReferenced
  /** Whether something was looked for, since the last call, that is not loaded. */
  takeMissed(): boolean
  /** Loads what was looked for, or some of it. */
  load(): Promise<void>
}

/** Beyond these, what was loaded earlier is forgotten. */
const MAX_LOADED_COUNT = 1_000
const MAX_LOADED_BYTES = 4_194_304
/** What is loaded before conditions are evaluated again. */
const MAX_LOAD_BYTES = 1_048_576
const MAX_MISSING_COUNT = 500

/** Users and files are small. */
const SMALL_BYTES = 500

const idOf = ({ id }: Referenced): number => Number(id)

export const createReferences = (database: QueryDatabase, budget: Budget): References => {
  const loaded = new Map<string, Map<number, Referenced | null>>()
  const missing = new Map<string, Set<number>>()
  const sources = new Map<string, RecordSource | null>()
  let loadedCount = 0
  let loadedBytes = 0
  let hasMissed = false

  const sourceOf = async (target: string): Promise<RecordSource | null> => {
    const known = sources.get(target)
    if (known !== undefined) return known
    const storage = codeLayout(target)?.storage ?? (await database.findCollection(target))
    const source = storage === null ? null : database.sourceOf(storage)
    sources.set(target, source)
    return source
  }

  const keep = (target: string, ids: readonly number[], found: readonly Referenced[], bytes: number): void => {
    const ofTarget = loaded.get(target) ?? new Map<number, Referenced | null>()
    loaded.set(target, ofTarget)
    for (const id of ids) ofTarget.set(id, null)
    for (const each of found) ofTarget.set(idOf(each), each)
    loadedCount += ids.length
    loadedBytes += bytes
    budget.addRows(ids.length, bytes)
  }

  /** Reads some of these and returns how many. */
  const read = async (target: string, ids: readonly number[]): Promise<number> => {
    if (target === 'users' || target === 'files') {
      const found = await database[target](ids)
      keep(target, ids, found, found.length * SMALL_BYTES)
      return ids.length
    }
    const source = await sourceOf(target)
    const { records, readCount, bytes } = (await source?.records(ids, MAX_STEP_BYTES)) ?? {
      records: [],
      readCount: ids.length,
      bytes: 0,
    }
    keep(target, ids.slice(0, readCount), records, bytes)
    return readCount
  }

  return {
    find(target, id) {
      const known = loaded.get(target)?.get(id)
      if (known !== undefined) return known
      hasMissed = true
      const ids = missing.get(target) ?? new Set()
      missing.set(target, ids)
      if (ids.size < MAX_MISSING_COUNT) ids.add(id)
      return undefined
    },
    takeMissed() {
      const result = hasMissed
      hasMissed = false
      return result
    },
    async load() {
      const wanted = [...missing].map(([target, ids]) => [target, [...ids]] as const)
      missing.clear()
      if (loadedCount > MAX_LOADED_COUNT || loadedBytes > MAX_LOADED_BYTES) {
        loaded.clear()
        loadedCount = 0
        loadedBytes = 0
      }
      const before = loadedBytes
      for (const [target, ids] of wanted) {
        for (let at = 0; at < ids.length && loadedBytes - before < MAX_LOAD_BYTES; ) {
          const some = ids.slice(at, at + MAX_STEP_ROWS_COUNT)
          at += await budget.run(() => read(target, some))
        }
      }
    },
  }
}
