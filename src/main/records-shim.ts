import type { Catalog } from '../application/catalog.ts'
import type { Collections as Definitions, DescribedCollection } from '../application/collections.ts'
import type { ReadTx, UnitOfWork } from '../application/ports/persistence.ts'
import type {
  CollectionDetails,
  Collections,
  RecordResult,
  Records,
  RefusedLine,
} from '../application/record-results.ts'
import type { Caller, Records as Plain } from '../application/records.ts'
import { AppError } from '../domain/errors.ts'
import type { Actor, Anonymous, Principal } from '../domain/session.ts'

const ANON = { userId: null, role: null } as const
const callerOf = (author: Actor | Anonymous): Caller =>
  author.userId === null ? { ...ANON, requestId: author.requestId } : (author as Actor)
const readerOf = (principal: Principal | null) => principal ?? ANON

export const shimRecords = (plain: Plain, catalog: Catalog, store: UnitOfWork): Records => {
  const find = (name: string) => store.read((tx: ReadTx) => Promise.resolve(catalog.find(tx, name)))
  const collection = async (name: string) => (await find(name)).collection
  const wrap = async (name: string, record: RecordResult['record']) => ({ collection: await collection(name), record })
  const none = { collection: null as never }
  void none
  return {
    collection,
    async create(author, name, draft, { idempotency, isChecked }) {
      const c = await collection(name)
      const inner = idempotency && {
        ...idempotency,
        responseOf: (record: RecordResult['record']) => idempotency.responseOf({ collection: c, record }),
      }
      const done = await plain.create(callerOf(author), name, draft, inner, { isValidated: isChecked === true })
      return 'replayed' in done ? done : { result: { collection: c, record: done.result } }
    },
    get: async (principal, name, id) => ({
      ...(await wrap(name, await plain.get(readerOf(principal), name, id))),
      expanded: null,
    }),
    checkChange: async (principal, name, id) => void (await plain.get(readerOf(principal), name, id)),
    update: async (author, name, id, patch, { expected, isChecked }) =>
      wrap(name, await plain.update(callerOf(author), name, id, patch, expected, { isValidated: isChecked === true })),
    remove: (author, name, id, expected) => plain.remove(callerOf(author), name, id, expected),
    list: async (principal, name, query, options) => ({
      collection: await collection(name),
      page: await plain.list(readerOf(principal), name, { query, filter: options?.filter ?? null }),
      expanded: null,
    }),
    async batch(actor, operations, idempotency) {
      const names = [...new Set(operations.map((each) => each.collection))]
      const known = new Map(await Promise.all(names.map(async (name) => [name, await collection(name)] as const)))
      const results = (all: readonly (RecordResult['record'] | null)[]) =>
        all.map((record, at) => record && { collection: known.get(operations[at]?.collection ?? '') as never, record })
      const inner = idempotency && {
        ...idempotency,
        responseOf: (all: readonly (RecordResult['record'] | null)[]) => idempotency.responseOf(results(all)),
      }
      const done = await plain.batch(actor, operations, inner, {
        isValidated: operations.every((each) => 'isChecked' in each && each.isChecked === true),
      })
      return 'replayed' in done ? done : { result: results(done.result) }
    },
    async export(_, name) {
      const { collection: c, storage } = await find(name)
      const chunks = async function* () {
        let after = 0
        for (;;) {
          const { records, complete } = await store.read((tx) =>
            tx.records(storage).chunk({ after, maxCount: 200, maxBytes: 262_144 }),
          )
          yield records
          after = records.at(-1)?.id ?? after
          if (complete) return
        }
      }
      return { collection: c, chunks: chunks() }
    },
    async importLines(actor, name, lines, { isDryRun }) {
      let created = 0
      let line = 0
      const refused: RefusedLine[] = []
      for await (const text of lines) {
        line++
        if (text.trim() === '') continue
        try {
          const draft = JSON.parse(text)
          if (!isDryRun) await plain.create(actor, name, draft, null)
          created++
        } catch (error) {
          const known =
            error instanceof AppError ? error : new AppError('validation_failed', 'The line is not valid JSON')
          refused.push({ line, code: known.code, detail: known.message, faults: known.faults ?? [] })
        }
      }
      return { created, refused: refused.length, lines: refused.slice(0, 100) }
    },
  }
}

const details = ({
  collection,
  records,
  version,
  epoch,
  createdAt,
  updatedAt,
}: DescribedCollection): CollectionDetails => ({
  collection,
  isBuiltIn: createdAt === null,
  records,
  version,
  epoch,
  createdAt,
  updatedAt,
})

export const shimCollections = (definitions: Definitions): Collections => ({
  async list(principal, query) {
    const names = await definitions.names(principal)
    const all = await Promise.all(names.map((name) => definitions.get(principal, name)))
    const from = 'page' in query.from ? (query.from.page - 1) * query.size : 0
    return { items: all.slice(from, from + query.size).map(details), total: all.length, next: null }
  },
  get: async (principal, name) => details(await definitions.get(principal, name)),
  async put(actor, name, definition, { expected, mustNotExist = false, transform = null }) {
    const { described, created } = await definitions.put(actor, name, {
      definition,
      transform,
      expected,
      mustBeNew: mustNotExist,
    })
    return { details: details(described), isNew: created }
  },
  remove: (actor, name, { expected, records = null }) => definitions.remove(actor, name, { expected, records }),
  abandonUnfinished: async () => {},
})
