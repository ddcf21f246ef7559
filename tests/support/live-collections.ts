import { afterAll } from 'bun:test'
import { createEventLoopSlices } from '../../src/adapters/bun/event-loop-slices.ts'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import { toEventBody, toRecordBody } from '../../src/adapters/http/event-bodies.ts'
import { applyPatch } from '../../src/adapters/json-patch/patch.ts'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { createAccessTokens } from '../../src/adapters/jwt/access-tokens.ts'
import { createMemoryBus } from '../../src/adapters/memory/bus.ts'
import { createMemorySocketSlots } from '../../src/adapters/memory/socket-slots.ts'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import type { Connection } from '../../src/adapters/ws/connection.ts'
import { createSockets } from '../../src/adapters/ws/sockets.ts'
import { createDeletionFinishing } from '../../src/application/deletion-finishing.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { createReadableCollections } from '../../src/application/readable-collections.ts'
import { createRealtime } from '../../src/application/realtime.ts'
import { createTopics } from '../../src/application/topics.ts'
import { createUseCases } from '../../src/application/use-cases.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import { userEvent } from '../../src/domain/event.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import type { Role } from '../../src/domain/user.ts'
import { quickPasswords, recordingLog } from './skep.ts'
import { openSocket } from './socket.ts'
import { isShared } from './stack.ts'
import { openTestStore, userNamed } from './store.ts'

const clock = { now: () => Date.now() }
const HOUR_MS = 3_600_000

/** On the engine of the stack. */
const openStore = async (onEvents: () => void): Promise<Store> => {
  if (!isShared) return openTestStore({ onEvents }).store
  const { testDatabase } = await import('./postgres.ts')
  const store = openPostgresStore({ url: await testDatabase(), size: 10, onEvents })
  afterAll(() => store.close(0))
  return store
}

/** A server of sockets on a database whose collections and records tests change by the use cases. */
export const startLiveCollections = async (limits: { readonly maxAffectedCount?: number } = {}) => {
  let notify = () => {}
  const store = await openStore(() => notify())
  await store.beginEpoch()
  const bus = createMemoryBus(clock)
  const secret = 'a secret that only these tests know'
  const accessTokens = createAccessTokens(secret, clock)
  const log = recordingLog()
  const slices = createEventLoopSlices()
  const useCases = createUseCases({
    slices,
    collections: COLLECTIONS,
    unitOfWork: store,
    bus,
    passwords: quickPasswords(),
    accessTokens,
    opaqueTokens: createOpaqueTokens(secret),
    clock,
    signup: 'open',
    reserve: { isReached: () => false },
    attemptRate: 'off',
    compilePattern,
    compileExpression,
    compileValidator,
    applyPatch,
    maxRecordBytes: 64_000,
    managed: false,
    accessTtlMs: HOUR_MS,
    refreshTtlMs: HOUR_MS,
    ...limits,
  })
  const { catalog, units, collections, records, access, auditReads } = useCases
  const finishDeletion = createDeletionFinishing({ unitOfWork: store, catalog, units, clock })
  const readable = createReadableCollections(catalog)
  const topics = createTopics({ collections: COLLECTIONS, readable, clock })
  const realtime = createRealtime({ unitOfWork: store, topics, readable, clock, slices, log })
  const sent: string[] = []
  const sockets = createSockets({
    slots: createMemorySocketSlots(),
    maxSocketsPerUser: 1_000,
    realtime,
    access,
    auditReads,
    notices: bus.notices,
    clock,
    log,
    slices,
    metrics: { eventSeen() {}, eventDelivered() {} },
    toBody: toEventBody,
    toRecordBody(collection, record) {
      sent.push(`${collection.name}/${record.id}`)
      return toRecordBody(collection, record)
    },
  })
  notify = realtime.notify
  await sockets.start()
  const server = Bun.serve<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, self) {
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? null
      return self.upgrade(request, { data: sockets.connect('client', token, { requestId: 'test', address: '' }) })
        ? undefined
        : new Response()
    },
    websocket: sockets.handlers,
  })
  sockets.publishTo(server)
  afterAll(async () => {
    await sockets.stop()
    await server.stop(true)
  })
  const url = `http://127.0.0.1:${server.port}`
  let userCount = 0

  const session = async (role: Role) => {
    const expiresAt = Date.now() + HOUR_MS
    return store.write(async (tx) => {
      const user = await tx.users.insert({ ...userNamed(`user${++userCount}`), role })
      const times = { createdAt: 1, lastUsedAt: 1, expiresAt }
      return tx.sessions.insert({ userId: user.id, device: '', address: '', ...times })
    })
  }
  const definer = await session('admin')
  const admin = { userId: definer.userId, sessionId: definer.id, role: 'admin', requestId: 'r', address: '' } as const

  return {
    url,
    log,
    store,
    /** Records that were encoded, each time. */
    encoded: sent,
    async define(definition: JsonObject & { readonly name: string }) {
      await collections.put(admin, definition.name, definition, { expected: null })
    },
    async drop(name: string) {
      const { records } = await collections.get(admin, name)
      await collections.remove(admin, name, { expected: null, records })
    },
    /** A user with a session, who changes and lists records by the use cases. */
    async member(role: Role = 'user') {
      const { userId: id, id: sessionId, createdAt: sessionCreatedAt, expiresAt } = await session(role)
      const token = await accessTokens.issue({ userId: id, sessionId, sessionCreatedAt, expiresAt })
      const caller = { userId: id, sessionId, role, requestId: 'r' }
      const current = async () => {
        const user = await store.read((tx) => tx.users.findById(id))
        return { ...caller, role: user?.role ?? role }
      }
      return {
        id,
        token,
        open: () => openSocket(url, { token }),
        async create(name: string, draft: JsonObject): Promise<StoredRecord> {
          const created = await records.create(await current(), name, draft, { idempotency: null })
          if (!('result' in created)) throw new Error('replayed')
          return created.result.record
        },
        update: async (name: string, recordId: number, patch: JsonObject) =>
          records.update(await current(), name, recordId, patch, { expected: null }),
        remove: async (name: string, recordId: number) => records.remove(await current(), name, recordId, null),
        batch: async (operations: Parameters<typeof records.batch>[1]) =>
          records.batch(await current(), operations, null),
        /** What the server lists, by id. */
        async list(name: string, filter: string | null = null): Promise<ReadonlyMap<number, object>> {
          const listed = new Map<number, object>()
          const query = { ownerId: null, text: null, createdAfter: null, createdBefore: null, size: 100 }
          const sort = { field: 'created_at', descending: false }
          let from: { readonly page: number } | { readonly after: { key: string | number; id: number } } = { page: 1 }
          for (;;) {
            const { collection, page } = await records.list(await current(), name, { ...query, sort, from }, { filter })
            for (const record of page.items) listed.set(record.id, toRecordBody(collection, record))
            if (page.next === null) return listed
            from = { after: page.next }
          }
        },
        async setRole(to: Role) {
          await store.write(async (tx) => {
            const before = await tx.users.findById(id)
            if (before === null) throw new Error('the user is gone')
            const after = { ...before, role: to }
            await tx.users.update(after)
            const event = userEvent(before, after, id, clock.now())
            if (event !== null) await tx.events.append(event)
          })
          await bus.notices.publish(id)
        },
      }
    },
    /** Removes what large deletions have left. */
    async finishDeletions() {
      const signal = new AbortController().signal
      const { unfinished } = await store.read(async (tx) => ({
        unfinished: (await tx.collections.all()).flatMap(({ deletions }) => deletions.unfinished),
      }))
      for (const id of new Set(unfinished)) await finishDeletion(id, { signal, isOver: () => false })
    },
    /** Resolves when everything committed so far was delivered. */
    async settled() {
      const { last } = await store.read((tx) => tx.events.bounds())
      while (realtime.position() < last) {
        realtime.notify()
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
  }
}

export type LiveCollections = Awaited<ReturnType<typeof startLiveCollections>>
export type LiveMember = Awaited<ReturnType<LiveCollections['member']>>
