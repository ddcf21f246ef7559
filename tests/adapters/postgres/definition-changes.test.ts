import { expect, test } from 'bun:test'
import { AppError } from '../../../src/domain/errors.ts'
import type { JsonObject } from '../../../src/domain/merge-patch.ts'
import { definitionChangesContract } from '../../contracts/definition-changes.ts'
import { definitionRacesContract } from '../../contracts/definition-races.ts'
import { collectionsOn } from '../../support/collections.ts'
import { list } from '../../support/lists.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'

/** Whoever writes does not know which definition is in effect. */
const inEitherForm = async <T>(text: string, write: (fields: JsonObject) => Promise<T>): Promise<T> =>
  write({ title: text }).catch((error: unknown) => {
    if (error instanceof AppError && error.code === 'validation_failed') return write({ label: text })
    throw error
  })

if (!missing) {
  definitionChangesContract('postgres', () => openTestPostgres())
  definitionRacesContract('postgres', () => openTestPostgres())

  test('a definition that one process changes while another one writes loses nothing, and one that starts does not end it', async () => {
    const { store, open } = await openTestPostgres()
    const changing = collectionsOn(store)
    const writing = collectionsOn(open())
    const starting = collectionsOn(open())
    const admin = await changing.anAdmin()
    const put = (definition: JsonObject, transform?: readonly JsonObject[]) =>
      changing.collections.put(admin, 'lists', definition, { expected: null, ...(transform && { transform }) })
    await put(list())
    const written = new Map<number, string>()
    const add = async (text: string) => {
      const { id } = await inEitherForm(text, (fields) => writing.create(admin, 'lists', fields))
      written.set(id, text)
    }
    for (let n = 0; n < 150; n++) await add(`before ${n}`)
    let isDone = false
    const whileChanging = async (work: (n: number) => Promise<unknown>) => {
      for (let n = 0; !isDone; n++) await work(n)
    }
    const others = Promise.all([
      whileChanging((n) => add(`created ${n}`)),
      whileChanging(() => starting.collections.abandonUnfinished({ isAlone: false })),
    ])
    const renamed = list({ label: { type: 'string', maxLength: 200 } }, { indexes: [{ fields: ['label'] }] })
    const { details } = await put(renamed, [{ op: 'move', from: '/title', path: '/label' }]).finally(() => {
      isDone = true
    })
    await others
    expect(details.version).toBe(2)
    for (const [id, text] of written) {
      expect((await writing.records.get(admin, 'lists', id)).record).toMatchObject({ label: text })
    }
  })
}
