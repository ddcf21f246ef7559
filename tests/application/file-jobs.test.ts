import { expect, test } from 'bun:test'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { sniffContentType } from '../../src/adapters/file-type/sniff.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { NO_RESERVE } from '../../src/adapters/fs/reserve.ts'
import { createFiles } from '../../src/application/files.ts'
import { createJobHandlers } from '../../src/application/job-handlers.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { Job } from '../../src/domain/job.ts'
import { entriesOf, piecesOf } from '../contracts/blob-store.ts'
import { recordUnitsOn } from '../support/collections.ts'
import { createMailbox } from '../support/mail.ts'
import { recordingLog, temporaryFolder } from '../support/skep.ts'
import { openTestStore, userNamed } from '../support/store.ts'

const DAY_MS = 24 * 3_600_000

const prepare = async () => {
  const { store, outside, writer } = openTestStore()
  const blobs = createFsBlobStore(temporaryFolder())
  let ahead = 0
  const clock = { now: () => Date.now() + ahead }
  const { actor } = await store.write(async (tx) => {
    const { id: userId } = await tx.users.insert(userNamed('ann'))
    const times = { createdAt: 0, lastUsedAt: 0, expiresAt: Date.now() + 7 * DAY_MS }
    const { id: sessionId } = await tx.sessions.insert({ userId, device: '', address: '', ...times })
    return { actor: { userId, sessionId, role: 'user', requestId: 'test', address: '' } as const }
  })
  const handlers = createJobHandlers({
    ...recordUnitsOn(store, clock),
    unitOfWork: store,
    blobs,
    clock,
    mailer: createMailbox(),
    opaqueTokens: createOpaqueTokens('x'),
    refreshTtlMs: 1,
    eventRetentionMs: 1,
    auditRetentionMs: 1,
    mail: { appName: 'Skep', appUrl: 'http://localhost' },
  })
  const filesOn = (unitOfWork: UnitOfWork) =>
    createFiles({
      ...recordUnitsOn(unitOfWork, clock),
      unitOfWork,
      blobs,
      clock,
      sniff: sniffContentType,
      accepted: '*/*',
      log: recordingLog(),
      reserve: NO_RESERVE,
    })
  const files = filesOn(store)
  const receive = (content = 'hello') => files.receive(actor, { filename: 'a.txt', content: piecesOf(content) })
  const run = (kind: keyof typeof handlers, payload: unknown = {}) => {
    const job: Job = {
      id: 1,
      kind,
      payload,
      state: 'running',
      attempts: 1,
      runAt: 0,
      lastError: null,
      createdAt: 0,
      updatedAt: 0,
    }
    return handlers[kind].run(job, new AbortController().signal, () => {})
  }
  const upload = async () => {
    await using received = await receive()
    const idempotent = await received.commit(null)
    if ('replayed' in idempotent) throw new Error('nothing to replay')
    return idempotent.result
  }
  const queued = () =>
    outside<{ kind: string; payload: string }>("SELECT kind, payload FROM jobs WHERE kind = 'delete-blob' ORDER BY id")
  return {
    ...{ store, outside, writer, blobs, actor, files, filesOn, receive, run, upload, queued },
    pass: (milliseconds: number) => {
      ahead += milliseconds
    },
  }
}

test('deleting a file queues the deletion of its bytes in the same transaction', async () => {
  const { files, actor, upload, queued, run, blobs } = await prepare()
  const { id, blobKey } = await upload()
  await files.remove(actor, id)
  expect(queued().map(({ payload }) => JSON.parse(payload))).toEqual([{ key: blobKey }])
  await run('delete-blob', { key: blobKey })
  await run('delete-blob', { key: blobKey })
  expect(await entriesOf(blobs)).toEqual([])
})

test('an upload that is received but not kept leaves no bytes', async () => {
  const { receive, blobs } = await prepare()
  {
    await using _ = await receive()
    expect(await entriesOf(blobs)).toHaveLength(1)
  }
  expect(await entriesOf(blobs)).toEqual([])
})

test('a commit that fails leaves no bytes', async () => {
  const { receive, blobs, outside, writer } = await prepare()
  const spoilt = async () => {
    await using received = await receive()
    writer().run('CREATE TRIGGER full BEFORE INSERT ON files BEGIN SELECT RAISE(ABORT, "no room"); END')
    await received.commit(null)
  }
  await expect(spoilt()).rejects.toThrow('no room')
  expect(await entriesOf(blobs)).toEqual([])
  expect(outside('SELECT 1 FROM files')).toEqual([])
})

test('a commit whose confirmation was lost keeps the bytes', async () => {
  const { store, filesOn, actor, blobs, outside } = await prepare()
  const deaf: UnitOfWork = {
    ...store,
    async write(work) {
      await store.write(work)
      throw new Error('connection lost')
    },
  }
  const uploading = async () => {
    await using received = await filesOn(deaf).receive(actor, { filename: 'a', content: piecesOf('hello') })
    await received.commit(null)
  }
  await expect(uploading()).rejects.toThrow('connection lost')
  expect([(await entriesOf(blobs)).length, outside('SELECT 1 FROM files').length]).toEqual([1, 1])
})

test('a commit that is only seen after its confirmation was lost keeps the bytes, too', async () => {
  const { store, filesOn, actor, blobs, outside } = await prepare()
  const commit = Promise.withResolvers<void>()
  let committing: Promise<unknown> | null = null
  const deaf: UnitOfWork = {
    ...store,
    async write(work) {
      committing = commit.promise.then(() => store.write(work))
      throw new AppError('unavailable', 'The database is not available')
    },
  }
  const uploading = async () => {
    await using received = await filesOn(deaf).receive(actor, { filename: 'a', content: piecesOf('hello') })
    await received.commit(null)
  }
  expect(await uploading().catch((error: unknown) => error)).toMatchObject({ code: 'unavailable' })
  commit.resolve()
  await committing
  expect([(await entriesOf(blobs)).length, outside('SELECT 1 FROM files').length]).toEqual([1, 1])
})

test('a user who is removed during an upload leaves nothing behind', async () => {
  const { store, receive, actor, blobs, outside } = await prepare()
  const uploading = async () => {
    await using received = await receive()
    await store.write((tx) => tx.users.delete(actor.userId))
    await received.commit(null)
  }
  await expect(uploading()).rejects.toMatchObject({ code: 'invalid_token' })
  expect([(await entriesOf(blobs)).length, outside('SELECT 1 FROM files').length]).toEqual([0, 0])
})

test('removing a user removes all their files, however many, and nobody else’s', async () => {
  const { store, actor, upload, run, outside, queued } = await prepare()
  const kept = await upload()
  const other = actor.userId + 1
  await store.write(async (tx) => {
    for (let n = 0; n < 450; n++) {
      const { id, ...file } = kept
      const { id: fileId } = await tx.files.insert({ ...file, ownerId: other, blobKey: `key-${n}` })
      await tx.fileLinks.insert({ fileId, ownerId: 1, creatorId: 1, expiresAt: Date.now() + DAY_MS, createdAt: 0 })
    }
  })
  await run('forget-user', { userId: other })
  expect(outside<{ id: number }>('SELECT id FROM files')).toEqual([{ id: kept.id }])
  expect([outside('SELECT 1 FROM file_links').length, queued().length]).toEqual([0, 450])
  await run('forget-user', { userId: other })
  expect(queued()).toHaveLength(450)
})

test('the sweep removes bytes without a file row once they are a day old, unfinished ones too', async () => {
  const { upload, blobs, run, pass } = await prepare()
  const { blobKey } = await upload()
  await blobs.write(piecesOf('orphan'))
  const begun = Promise.withResolvers<void>()
  const crash = Promise.withResolvers<void>()
  const unfinished = blobs.write(
    (async function* () {
      yield Buffer.from('half')
      begun.resolve()
      await crash.promise
      throw new Error('crashed')
    })(),
  )
  await begun.promise
  await run('sweep-blobs')
  expect(await entriesOf(blobs)).toHaveLength(3)
  pass(DAY_MS + 60_000)
  await run('sweep-blobs')
  expect((await entriesOf(blobs)).map(({ key }) => key)).toEqual([blobKey])
  crash.resolve()
  await expect(unfinished).rejects.toThrow('crashed')
})

test('the clean-up removes expired links', async () => {
  const { store, upload, run, outside } = await prepare()
  const { id: fileId } = await upload()
  await store.write(async (tx) => {
    await tx.fileLinks.insert({ fileId, ownerId: 1, creatorId: 1, expiresAt: Date.now() - 1, createdAt: 0 })
    await tx.fileLinks.insert({ fileId, ownerId: 1, creatorId: 1, expiresAt: Date.now() + DAY_MS, createdAt: 0 })
  })
  await run('clean-up')
  expect(outside('SELECT 1 FROM file_links')).toHaveLength(1)
})
