import { sortsOf } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { conjunctionOf } from '../domain/expression-parts.ts'
import { isCounted, type Page } from '../domain/page.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireAdmin, requireOwnOrAdmin } from './access.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { guardFilter } from './filter-guard.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { RecordQuery } from './ports/records.ts'
import type { Clock } from './ports/system.ts'
import { type Authorization, createAuthorization, isOwnerRule, refuse } from './record-access.ts'
import { expandRecords } from './record-expansion.ts'
import type { ListOptions, ListResult, Records } from './record-requests.ts'

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
}

/** Limits of one part of an export. */
const MAX_CHUNK_COUNT = 200
const MAX_CHUNK_BYTES = 256 * 1_024

const checkSort = ({ collection }: CompiledCollection, { sort }: RecordQuery): void => {
  const sorts = sortsOf(collection)
  if (sorts.includes(sort.field)) return
  throw new AppError('validation_failed', 'The query does not have the expected form', {
    faults: [{ in: 'query', pointer: '/sort', detail: `Expected one of ${sorts.join(', ')}` }],
  })
}

const noRecords = (query: RecordQuery): Page<StoredRecord> => ({
  items: [],
  total: isCounted(query) ? 0 : null,
  next: null,
})

/** Reads lists of records. */
export const createRecordLists = ({ catalog, unitOfWork, clock }: Deps): Pick<Records, 'list' | 'export'> => {
  const filterOf = async (
    tx: ReadTx,
    compiled: CompiledCollection,
    text: string | null,
    { rule }: Authorization,
    now: Instant,
  ): Promise<Expression> => {
    if (text === null) return TRUE
    const given = await catalog.compileFilter(tx, compiled, text)
    const filter = await guardFilter(tx, catalog, given, (target) => rule(target, 'read'))
    return bind(filter, { auth: null, now })
  }

  /** The records that meet a condition and that the caller may read. */
  const readablePage = async (
    { tx, principal, rule }: Authorization,
    compiled: CompiledCollection,
    given: RecordQuery,
    filter: Expression,
  ): Promise<Page<StoredRecord>> => {
    const account = principal?.userId ?? null
    const isOwn = principal?.role !== 'admin' && isOwnerRule(compiled, 'read')
    if (isOwn && principal === null) return refuse(principal, '')
    // Owners are found without a look at the rule.
    const isOthers = isOwn && given.ownerId !== null && given.ownerId !== account
    const query = isOwn ? { ...given, ownerId: account } : given
    const read = isOwn ? TRUE : await rule(compiled, 'read')
    if (read === FALSE && principal === null) return refuse(principal, '')
    const condition = isOthers ? FALSE : conjunctionOf([read, filter])
    if (condition === FALSE) return noRecords(query)
    return tx.records(compiled.storage).list({ ...query, account, condition: condition === TRUE ? null : condition })
  }

  const list = async (
    tx: ReadTx,
    principal: Principal | null,
    compiled: CompiledCollection,
    query: RecordQuery,
    { filter = null, expand = [] }: ListOptions,
  ): Promise<ListResult> => {
    const { collection, stored } = compiled
    if (stored === null) {
      if (principal === null) return refuse(principal, '')
      requireOwnOrAdmin(principal, query.ownerId)
    } else checkSort(compiled, query)
    const now = clock.now()
    const authorization = createAuthorization(tx, catalog, principal, now)
    const page = await readablePage(
      authorization,
      compiled,
      query,
      await filterOf(tx, compiled, filter, authorization, now),
    )
    const expanded = await expandRecords(authorization, catalog, compiled, page.items, expand)
    return { collection, page, expanded }
  }

  return {
    list: (principal, name, query, options = {}) =>
      unitOfWork.read(async (tx) => list(tx, principal, await catalog.find(tx, name), query, options)),

    async export(principal, name) {
      requireAdmin(principal)
      const first = await unitOfWork.read(async (tx) => catalog.find(tx, name))
      const read = (after: number) =>
        unitOfWork.read(async (tx) => {
          const compiled = await catalog.find(tx, name)
          // Lines of two definitions would not belong together.
          if (compiled.collection !== first.collection) throw changedMeanwhile(name)
          return tx.records(compiled.storage).chunk({ after, maxCount: MAX_CHUNK_COUNT, maxBytes: MAX_CHUNK_BYTES })
        })
      const chunks = async function* (): AsyncGenerator<readonly StoredRecord[]> {
        for (let after = 0, isComplete = false; !isComplete; ) {
          const { records, complete } = await read(after)
          isComplete = complete
          after = records.at(-1)?.id ?? after
          if (records.length > 0) yield records
        }
      }
      return { collection: first.collection, chunks: chunks() }
    },
  }
}

const changedMeanwhile = (name: string) =>
  new AppError('version_mismatch', `The definition of ${name} was changed meanwhile`)
