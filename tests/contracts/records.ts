import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store } from '../../src/application/ports/persistence.ts'
import { type Collection, type FieldSchema, isNullable, sortsOf, typeOf } from '../../src/domain/collection.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import type { Json, JsonObject } from '../../src/domain/merge-patch.ts'
import { newRecord, patchedRecord, recordEvent } from '../../src/domain/record.ts'
import { readEvents } from '../support/events.ts'

const textOf = (minLength: number, maxLength: number) =>
  fc
    .string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 30) })
    .filter((text) => text.isWellFormed() && !text.includes('\0') && text.length >= minLength)

const anyValueOf = (field: FieldSchema): fc.Arbitrary<Json> => {
  switch (typeOf(field)) {
    case 'string':
      return textOf(field.minLength ?? 0, field.maxLength ?? 30)
    case 'integer':
      return fc.maxSafeInteger()
    case 'number':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value))
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(fc.integer())
    case 'object':
      return fc
        .dictionary(textOf(1, 10), fc.oneof(fc.boolean(), fc.integer(), textOf(0, 10)))
        .map((value) => ({ ...value }))
  }
}

/** Drafts that pass the schema of a collection. */
export const draftOf = (collection: Collection): fc.Arbitrary<JsonObject> =>
  fc
    .record(
      Object.fromEntries(
        Object.entries(collection.fields).map(([name, field]) => [
          name,
          isNullable(field) ? fc.option(anyValueOf(field)) : anyValueOf(field),
        ]),
      ),
      { requiredKeys: [...collection.required] },
    )
    .map((draft) => JSON.parse(JSON.stringify(draft)))

/** What every engine promises of the records of every registered collection. */
export const recordsContract = (engine: string, open: () => Promise<Store>) => {
  const registered: readonly Collection[] = COLLECTIONS
  describe.each(registered.map((collection) => [collection.name, collection] as const))(
    `%s of ${engine}`,
    (_, collection) => {
      const { name } = collection

      test('are returned as stored, however they are read', async () => {
        const store = await open()
        await fc.assert(
          fc.asyncProperty(draftOf(collection), draftOf(collection), async (draft, patch) => {
            const made = await store.write((tx) => tx.records(name).insert(newRecord(collection, draft, 1, 5)))
            const find = () => store.read((tx) => tx.records(name).findById(made.id))
            expect(await find()).toEqual(made)
            const changed = patchedRecord(collection, made, patch, 6)
            const updated = await store.write((tx) => tx.records(name).update(changed))
            expect(await find()).toEqual(updated)
            for (const field of sortsOf(collection)) {
              const query = { ownerId: 1, text: null, createdAfter: null, createdBefore: null }
              const page = { size: 100, sort: { field, descending: true }, from: { page: 1 } }
              const { items } = await store.read((tx) => tx.records(name).list({ ...query, ...page }))
              expect(items.find(({ id }) => id === made.id)).toEqual(updated)
            }
            await store.write((tx) => tx.records(name).delete(made.id))
            expect(await find()).toBeNull()
          }),
          { numRuns: 25 },
        )
      })

      test('are removed with their owner, and the log keeps only their deletion', async () => {
        const store = await open()
        const [draft = {}] = fc.sample(draftOf(collection), { numRuns: 1, seed: 7 })
        const author = { actorId: 1, requestId: 'r', sessionId: 1, createdAt: 1 }
        await store.write(async (tx) => {
          const record = await tx.records(name).insert(newRecord(collection, draft, 1, 5))
          await tx.events.append(recordEvent(collection, 'created', record, author))
          await tx.events.append(recordEvent(collection, 'deleted', record, author))
        })
        await readEvents(store)
        expect(await store.write((tx) => tx.events.eraseOwned(1, null, 10))).toMatchObject({ kind: name })
        expect(await store.write((tx) => tx.records(name).deleteOwned(1, 10))).toHaveLength(1)
        const [left, ...more] = await readEvents(store, { scope: { kind: name } })
        expect(more).toEqual([])
        const empty = newRecord(collection, {}, 1, 5)
        for (const field of Object.keys(collection.fields)) expect(left?.data[field]).toEqual(empty[field])
      })
    },
  )
}
