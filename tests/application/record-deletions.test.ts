import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { sniffContentType } from '../../src/adapters/file-type/sniff.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { NO_RESERVE } from '../../src/adapters/fs/reserve.ts'
import { createFiles } from '../../src/application/files.ts'
import { createJobHandlers } from '../../src/application/job-handlers.ts'
import { createUserReferenceCheck } from '../../src/application/user-references.ts'
import type { ReferenceAction } from '../../src/domain/collection.ts'
import type { Caller } from '../../src/domain/session.ts'
import { piecesOf } from '../contracts/blob-store.ts'
import { codeOf, openCollections } from '../support/collections.ts'
import { collectionOf, deletionsLikeTheModel, reference } from '../support/deletions.ts'
import { readEvents } from '../support/events.ts'
import { createMailbox } from '../support/mail.ts'
import { runsOf } from '../support/runs.ts'
import { recordingLog, temporaryFolder } from '../support/skep.ts'

const remove = (
  { records }: Pick<ReturnType<typeof openCollections>, 'records'>,
  author: Caller,
  name: string,
  id: number,
) => records.remove(author, name, id, null)

describe('deleting a record that others reference', () => {
  const openWith = async (action: ReferenceAction, isList = false) => {
    const opened = openCollections()
    await opened.define(collectionOf('parents', {}))
    await opened.define(collectionOf('children', { parent: reference('parents', action, isList) }))
    const author = await opened.person()
    const parent = await opened.create(author, 'parents', {})
    const child = await opened.create(await opened.person(), 'children', { parent: isList ? [parent.id] : parent.id })
    return { ...opened, author, parent, child }
  }

  test('is refused by default', async () => {
    const opened = await openWith('restrict')
    expect(await codeOf(remove(opened, opened.author, 'parents', opened.parent.id))).toBe('referenced')
  })

  test('deletes them, with an event for each', async () => {
    const opened = await openWith('cascade')
    await remove(opened, opened.author, 'parents', opened.parent.id)
    expect(await codeOf(opened.records.get(opened.author, 'children', opened.child.id))).toBe('not_found')
    const events = (await readEvents(opened.store)).map(({ event, actorId }) => [event, actorId])
    expect(events.slice(-2)).toEqual([
      ['children_one.deleted', opened.author.userId],
      ['parents_one.deleted', opened.author.userId],
    ])
  })

  test.each([
    [false, null],
    [true, []],
  ])('clears their references, in lists %p, with a new version', async (isList, left) => {
    const opened = await openWith('clear', isList)
    await remove(opened, opened.author, 'parents', opened.parent.id)
    const { record } = await opened.records.get(opened.author, 'children', opened.child.id)
    expect(record).toMatchObject({ parent: left, version: 2 })
  })
})

test('after any deletions every reference has a target, and everything else is unchanged', async () => {
  await fc.assert(
    deletionsLikeTheModel(() => openCollections()),
    { numRuns: runsOf(8, 25) },
  )
}, 120_000)

/** Files, and the job that forgets a user. */
const openWithFiles = () => {
  const opened = openCollections()
  const { store, catalog, units } = opened
  const blobs = createFsBlobStore(temporaryFolder())
  const clock = { now: () => Date.now() }
  const shared = { unitOfWork: store, catalog, units, blobs, clock }
  const files = createFiles({
    ...shared,
    sniff: sniffContentType,
    accepted: '*/*',
    log: recordingLog(),
    reserve: NO_RESERVE,
  })
  const handlers = createJobHandlers({
    ...shared,
    mailer: createMailbox(),
    opaqueTokens: createOpaqueTokens('x'),
    refreshTtlMs: 1,
    eventRetentionMs: 1,
    auditRetentionMs: 1,
    mail: { appName: 'Skep', appUrl: 'http://localhost' },
  })
  return {
    ...opened,
    files,
    isUnreferenced: createUserReferenceCheck({ unitOfWork: store, catalog }),
    async upload(author: Caller) {
      await using received = await files.receive(author, { filename: 'a.txt', content: piecesOf('hello') })
      const kept = await received.commit(null)
      if ('replayed' in kept) throw new Error('replayed')
      return kept.result.id
    },
    async forget({ userId }: Caller) {
      await store.write((tx) => tx.users.delete(userId))
      const times = { runAt: 0, createdAt: 0, updatedAt: 0 }
      const job = {
        id: 1,
        kind: 'forget-user',
        payload: { userId },
        state: 'running',
        attempts: 1,
        lastError: null,
      } as const
      await handlers['forget-user'].run({ ...job, ...times }, new AbortController().signal, () => {})
    },
  }
}

describe('a file', () => {
  test('may be read by those who may read a record that references it', async () => {
    const { define, create, files, upload, person } = openWithFiles()
    await define(
      collectionOf(
        'posts',
        { photo: reference('files', 'restrict'), to: { type: 'integer' } },
        { rules: { read: 'record.to == auth.id' } },
      ),
    )
    const [author, reader, stranger] = [await person(), await person(), await person()]
    const id = await upload(author)
    await create(author, 'posts', { photo: id, to: reader.userId })
    expect((await files.get(reader, id)).id).toBe(id)
    expect(await codeOf(files.get(stranger, id))).toBe('not_found')
    expect(await codeOf(files.remove(reader, id))).toBe('forbidden')
    expect(await codeOf(files.remove(author, id))).toBe('referenced')
  })

  test('may be referenced only by those who may read it', async () => {
    const { define, create, upload, person } = openWithFiles()
    await define(collectionOf('posts', { photo: reference('files', 'restrict') }, { rules: {} }))
    const [author, stranger] = [await person(), await person()]
    const id = await upload(author)
    expect(await codeOf(create(stranger, 'posts', { photo: id }))).toBe('validation_failed')
  })

  test('is removed from references when it is deleted', async () => {
    const { define, create, files, upload, person, records } = openWithFiles()
    await define(collectionOf('posts', { photo: reference('files', 'clear') }))
    const author = await person()
    const id = await upload(author)
    const post = await create(author, 'posts', { photo: id })
    await files.remove(author, id)
    expect((await records.get(author, 'posts', post.id)).record.photo).toBeNull()
  })
})

describe('an account that is deleted', () => {
  test('takes its records with it, or leaves them without an owner', async () => {
    const { define, create, forget, person, records, store } = openWithFiles()
    const text = { text: { type: 'string' } }
    await define(collectionOf('gone', text))
    await define(collectionOf('kept', text, { owner: 'keep' }))
    const [author, reader] = [await person(), await person()]
    const gone = await create(author, 'gone', { text: 'a secret' })
    const kept = await create(author, 'kept', { text: 'for all' })
    await forget(author)
    expect(await codeOf(records.get(reader, 'gone', gone.id))).toBe('not_found')
    expect((await records.get(reader, 'kept', kept.id)).record).toMatchObject({
      ownerId: null,
      text: 'for all',
      version: 2,
    })
    expect(JSON.stringify(await readEvents(store))).not.toContain('secret')
  })

  test('is cleared from references, and takes the records that depend on it', async () => {
    const { define, create, forget, person, records } = openWithFiles()
    await define(
      collectionOf('lists', { members: reference('users', 'clear', true), by: reference('users', 'cascade') }),
    )
    const [member, owner] = [await person(), await person()]
    const cleared = await create(owner, 'lists', { members: [member.userId, owner.userId] })
    const gone = await create(owner, 'lists', { by: member.userId })
    await forget(member)
    expect((await records.get(owner, 'lists', cleared.id)).record.members).toEqual([owner.userId])
    expect(await codeOf(records.get(owner, 'lists', gone.id))).toBe('not_found')
  })

  test('takes its files with it, and their references', async () => {
    const { define, create, forget, upload, person, records, anAdmin } = openWithFiles()
    await define(collectionOf('posts', { photo: reference('files', 'restrict') }))
    const author = await person()
    const id = await upload(author)
    const admin = await anAdmin()
    const post = await create(admin, 'posts', { photo: id })
    await forget(author)
    expect((await records.get(admin, 'posts', post.id)).record.photo).toBeNull()
  })

  test('leaves nothing of its files in the log but that they were deleted', async () => {
    const { files, forget, upload, person, store } = openWithFiles()
    const author = await person()
    const deleted = [await upload(author), await upload(author)]
    await files.remove(author, deleted[0] ?? 0)
    expect(JSON.stringify(await readEvents(store))).toContain('a.txt')
    await forget(author)
    const events = (await readEvents(store)).filter(({ kind }) => kind === 'files')
    expect(events.map(({ event, data }) => [event, data])).toEqual(deleted.map((id) => ['file.deleted', { id }]))
    expect(events.some(({ previous }) => previous !== undefined)).toBe(false)
  })

  test('leaves a record that others depend on, without an owner', async () => {
    const { define, create, forget, person, records } = openWithFiles()
    await define(collectionOf('lists', {}))
    await define(collectionOf('tasks', { list: reference('lists', 'restrict') }))
    const [author, other] = [await person(), await person()]
    const [shared, own] = [await create(author, 'lists', {}), await create(author, 'lists', {})]
    await create(other, 'tasks', { list: shared.id })
    await create(author, 'tasks', { list: own.id })
    await forget(author)
    expect((await records.get(other, 'lists', shared.id)).record.ownerId).toBeNull()
    expect(await codeOf(records.get(other, 'lists', own.id))).toBe('not_found')
  })

  test('cannot be deleted while a record of someone else restricts that', async () => {
    const { define, create, isUnreferenced, person, records } = openWithFiles()
    await define(collectionOf('tasks', { for: reference('users', 'restrict') }))
    const [author, other] = [await person(), await person()]
    await create(author, 'tasks', { for: author.userId })
    await isUnreferenced(author.userId)
    const { id } = await create(other, 'tasks', { for: author.userId })
    expect(await codeOf(isUnreferenced(author.userId))).toBe('referenced')
    await records.remove(other, 'tasks', id, null)
    await isUnreferenced(author.userId)
  })

  test('takes more records with it than one transaction may change', async () => {
    const { define, create, forget, person, store } = openWithFiles()
    await define(collectionOf('parents', {}))
    await define(collectionOf('children', { parent: reference('parents', 'cascade') }))
    const author = await person()
    const { id } = await create(author, 'parents', {})
    const count = () =>
      store.read(async (tx) => tx.collections.countRecords((await tx.collections.find('children')) ?? ''))
    await store.write(async (tx) => {
      const stored = await tx.collections.find('children')
      if (stored === null) throw new Error('there is no such collection')
      for (let n = 0; n < 1_200; n++) {
        await tx.records(stored).insert({ ownerId: null, parent: id, version: 1, createdAt: 1, updatedAt: 1 })
      }
    })
    expect(await count()).toBe(1_200)
    await forget(author)
    expect(await count()).toBe(0)
  })
})
