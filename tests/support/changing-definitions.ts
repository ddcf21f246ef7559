import type { PutOptions } from '../../src/application/collections.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { collectionsOn } from './collections.ts'

/** A store, and a look at its tables. */
export interface Database {
  readonly store: Store
  /** What a newcomer with a connection of their own sees. */
  readonly outside: <Row>(sql: string) => Row[] | Promise<Row[]>
}

/** The use cases of definitions and records for an admin, on a database. */
export const openOn = async ({ store, outside }: Database) => {
  let beforeWrite = async () => {}
  const opened = collectionsOn(store, {
    wrap: (given) => ({
      read: given.read,
      async write(work) {
        await beforeWrite()
        return given.write(work)
      },
    }),
  })
  const { collections, records } = opened
  const admin = await opened.anAdmin()
  return {
    store,
    collections,
    records,
    admin,
    person: opened.person,
    put: (definition: JsonObject, options: Partial<PutOptions> = {}) =>
      collections.put(admin, String(definition.name), definition, { expected: null, ...options }),
    async create(name: string, ...drafts: readonly JsonObject[]) {
      const ids: number[] = []
      for (const draft of drafts) ids.push((await opened.create(admin, name, draft)).id)
      return ids
    },
    get: (name: string) => collections.get(admin, name),
    async fieldsOf(name: string, id: number): Promise<JsonObject> {
      const { record } = await records.get(admin, name, id)
      const { id: _, ownerId, version, epoch, createdAt, updatedAt, ...fields } = record
      return fields
    },
    pending: () => outside('SELECT name FROM collections WHERE pending IS NOT NULL'),
    /** Runs before each further unit that writes. */
    beforeWrite: (hook: () => Promise<void>) => {
      beforeWrite = hook
    },
  }
}
