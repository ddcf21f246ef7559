import { describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { createSqliteTarget } from '../../src/adapters/sqlite/filling.ts'
import { openSqliteSnapshot } from '../../src/adapters/sqlite/snapshot.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { EmptyTarget, MovableBlobs, Snapshot } from '../../src/application/ports/transfer.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord, type StoredRecord } from '../../src/domain/record.ts'
import { archiveOf, contentOf, openTestBlobs, restoreInto, streamOf } from '../support/archives.ts'
import { temporaryFolder } from '../support/skep.ts'
import { userNamed } from '../support/store.ts'

export interface BackedUp {
  readonly store: Store
  snapshot(): Promise<Snapshot>
}

interface Engine {
  readonly name: string
  /** An installation with nothing in it. */
  open(): Promise<BackedUp>
  /** A place to restore into, and what is there afterwards. */
  target(): Promise<{ readonly target: EmptyTarget; snapshot(): Promise<Snapshot>; open(): Store }>
}

const NOTES: Collection = {
  name: 'notes',
  singular: 'note',
  description: '',
  fields: { title: { type: 'string', maxLength: 50 }, share: { type: ['number', 'null'] } },
  required: ['title'],
  sorts: [],
  search: ['title'],
  indexes: [{ fields: ['title'], unique: true }],
  owner: 'keep',
}

const draftOf = (title: string) => newRecord(ITEMS, { title }, 1, 5)

/** Records of both kinds with their events, and files. */
const furnish = async (store: Store, blobs: MovableBlobs): Promise<void> => {
  const { id: ownerId } = await store.write((tx) => tx.users.insert(userNamed('ann')))
  const notes = await store.write((tx) => tx.collections.insert(NOTES, 1))
  await store.write(async (tx) => {
    for (let n = 1; n <= 3; n++) {
      const note = { title: `note ${n} ✓`, share: n / 3, ownerId, version: 1, createdAt: 5, updatedAt: 5 }
      await tx.records(notes).insert(note)
      await tx.records('items').insert(draftOf(`item ${n}`))
    }
    await tx.idempotency.put({
      userId: ownerId,
      route: 'POST /x',
      key: 'k',
      fingerprint: new Uint8Array([0, 255]),
      response: { status: 201, headers: {}, body: '{}' },
      role: 'user',
      createdAt: 1,
    })
  })
  for (const size of [0, 10, 200_000]) {
    const blob = await blobs.write(streamOf(new Uint8Array(size).fill(size)))
    const file = { ownerId, filename: 'a', contentType: 'image/png', size, sha256: blob.sha256, blobKey: blob.key }
    await store.write((tx) => tx.files.insert({ ...file, createdAt: 1 }))
  }
}

/** Without the epoch that a restore begins. */
const known = ({ rows, files }: Awaited<ReturnType<typeof contentOf>>) => ({
  rows: {
    ...rows,
    epochs: (rows.epochs ?? []).filter(({ nonce }) => !String(nonce).startsWith('restored')).map(({ nonce }) => nonce),
  },
  files,
})

/** What every engine's backups promise: one point in time, which any engine restores. */
export const backupsContract = ({ name, open, target }: Engine) => {
  describe(`backups of ${name}`, () => {
    test('are of one point in time: two records that writers keep equal differ in no archive', async () => {
      const { store, snapshot } = await open()
      const insert = () => store.write((tx) => tx.records('items').insert(draftOf('0')))
      let pair: readonly StoredRecord[] = [await insert(), await insert()]
      let isDone = false
      let written = 0
      let next = Promise.withResolvers<void>()
      const writing = (async () => {
        while (!isDone) {
          written++
          pair = await store.write((tx) =>
            Promise.all(pair.map((item) => tx.records('items').update({ ...item, title: String(written) }))),
          )
          next.resolve()
          next = Promise.withResolvers()
        }
      })()
      const seen: unknown[] = []
      for (let round = 0; round < 10; round++) {
        const before = written
        const { promise: isWritten } = next
        const { rows } = await contentOf(await archiveOf(await snapshot(), openTestBlobs()))
        const [one, other] = (rows.items ?? []).map(({ title }) => Number(title))
        seen.push(one === other && Number(one) >= before - 1)
        // So that each archive is of another moment, however slow the writer is.
        await Promise.race([isWritten, writing])
      }
      isDone = true
      await writing
      expect(written).toBeGreaterThanOrEqual(10)
      expect(seen).toEqual(Array(10).fill(true))
    })

    test('restored here, and backed up and restored embedded, have the same rows and files, and a new epoch', async () => {
      const { store, snapshot } = await open()
      const blobs = openTestBlobs()
      await furnish(store, blobs)
      const original = await archiveOf(await snapshot(), blobs)
      const here = await target()
      const hereBlobs = openTestBlobs()
      await restoreInto(here.target, hereBlobs, original)
      const second = await archiveOf(await here.snapshot(), hereBlobs)
      const path = join(temporaryFolder(), 'skep.db')
      const embeddedBlobs = openTestBlobs()
      await restoreInto(createSqliteTarget(path), embeddedBlobs, second)
      const third = await archiveOf(openSqliteSnapshot(path), embeddedBlobs)

      const content = await contentOf(original)
      expect(Object.keys(content.files)).toHaveLength(3)
      expect(content.rows.records).toHaveLength(3)
      for (const archive of [second, third]) {
        const restored = await contentOf(archive)
        expect(known(restored)).toEqual(known(content))
        expect(restored.rows.epochs?.some(({ nonce }) => String(nonce).startsWith('restored'))).toBe(true)
      }
    })

    test('restored are searched and counted, and new ids follow those of before', async () => {
      const { store, snapshot } = await open()
      await furnish(store, openTestBlobs())
      const last = await store.write((tx) => tx.records('items').insert(draftOf('to be removed')))
      await store.write((tx) => tx.records('items').delete(last.id))
      const here = await target()
      const empty = await store.read((tx) =>
        tx.files.list({ ownerId: null, size: 9, sort: { field: 'created_at', descending: false }, from: { page: 1 } }),
      )
      for (const { id } of empty.items) await store.write((tx) => tx.files.delete(id))
      await restoreInto(here.target, openTestBlobs(), await archiveOf(await snapshot(), openTestBlobs()))
      const restored = here.open()
      const notes = await restored.read((tx) => tx.collections.find('notes'))
      if (notes === null) throw new Error('the collection does not exist')
      expect(await restored.read((tx) => tx.collections.countRecords(notes))).toBe(3)
      const { id } = await restored.write((tx) => tx.records('items').insert(draftOf('next')))
      expect(id).toBe(last.id + 1)
    })

    test('are not restored into what is not empty', async () => {
      const { store, snapshot } = await open()
      await store.write((tx) => tx.users.insert(userNamed('ann')))
      const archive = await archiveOf(await snapshot(), openTestBlobs())
      const here = await target()
      await restoreInto(here.target, openTestBlobs(), archive)
      expect(restoreInto(here.target, openTestBlobs(), archive)).rejects.toThrow(/already|not empty/)
    })
  })
}
