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
import type { Connection } from '../../src/adapters/ws/connection.ts'
import { createSockets } from '../../src/adapters/ws/sockets.ts'
import { createReadableCollections } from '../../src/application/readable-collections.ts'
import { createRealtime } from '../../src/application/realtime.ts'
import { createTopics } from '../../src/application/topics.ts'
import { createUseCases } from '../../src/application/use-cases.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import { parseDefinition } from '../../src/domain/definition.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import type { Role } from '../../src/domain/user.ts'
import { quickPasswords, recordingLog } from './skep.ts'
import { openSocket } from './socket.ts'
import { openTestStore, userNamed } from './store.ts'

const clock = { now: () => Date.now() }
const HOUR_MS = 3_600_000

const parsed = (definition: JsonObject): Collection => {
  const result = parseDefinition(definition, compilePattern)
  if ('faults' in result) throw new Error(JSON.stringify(result.faults))
  return result.collection
}

/** A server of sockets on a database whose collections and records tests change by the use cases. */
export const startLiveCollections = async () => {
  let notify = () => {}
  const { store } = openTestStore({ onEvents: () => notify() })
  const bus = createMemoryBus(clock)
  const secret = 'a secret that only these tests know'
  const accessTokens = createAccessTokens(secret, clock)
  const log = recordingLog()
  const useCases = createUseCases({
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
    compileExpression,
    compileValidator,
    applyPatch,
    maxRecordBytes: 64_000,
    accessTtlMs: HOUR_MS,
    refreshTtlMs: HOUR_MS,
  })
  const { catalog, records, access } = useCases
  const slices = createEventLoopSlices()
  const readable = createReadableCollections(catalog)
  const topics = createTopics({ collections: COLLECTIONS, readable, clock })
  const realtime = createRealtime({ unitOfWork: store, topics, readable, clock, slices, log })
  const sent: string[] = []
  const sockets = createSockets({
    maxSocketsPerUser: 1_000,
    realtime,
    access,
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
      return self.upgrade(request, { data: sockets.connect('client', token) }) ? undefined : new Response()
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

  /** Changes a definition as the use cases do: with an event in the same transaction. */
  const changeDefinition = (
    change: 'created' | 'updated' | 'deleted',
    name: string,
    work: (tx: Parameters<Parameters<typeof store.write>[0]>[0]) => Promise<number>,
  ) =>
    store.write(async (tx) => {
      const id = await work(tx)
      await tx.events.append({
        kind: 'collections',
        event: `collection.${change}`,
        subjectId: id,
        ownerId: null,
        data: { name },
        previous: null,
        actorId: null,
        requestId: null,
        createdAt: clock.now(),
      })
    })

  const stored = async (tx: Parameters<Parameters<typeof store.write>[0]>[0], name: string) => {
    const found = await tx.collections.find(name)
    if (found === null) throw new Error(`there is no collection ${name}`)
    return found
  }

  return {
    url,
    log,
    store,
    /** Records that were encoded, each time. */
    encoded: sent,
    define: (definition: JsonObject & { name: string }) =>
      changeDefinition('created', definition.name, async (tx) => {
        return (await tx.collections.insert(parsed(definition), clock.now())).id
      }),
    redefine: (definition: JsonObject & { name: string }) =>
      changeDefinition('updated', definition.name, async (tx) => {
        const before = await stored(tx, definition.name)
        const prepared = await tx.collections.prepare(before, { collection: parsed(definition), transform: null })
        return (await tx.collections.activate(prepared, clock.now())).id
      }),
    drop: (name: string) =>
      changeDefinition('deleted', name, async (tx) => {
        const before = await stored(tx, name)
        await tx.collections.delete(before)
        return before.id
      }),
    /** A user with a session, who changes and lists records by the use cases. */
    async member(role: Role = 'user') {
      const expiresAt = Date.now() + HOUR_MS
      const { user, session } = await store.write(async (tx) => {
        const user = await tx.users.insert({ ...userNamed(`user${++userCount}`), role })
        const times = { createdAt: 1, lastUsedAt: 1, expiresAt }
        return { user, session: await tx.sessions.insert({ userId: user.id, device: '', address: '', ...times }) }
      })
      const { id } = user
      const token = await accessTokens.issue({
        userId: id,
        sessionId: session.id,
        sessionCreatedAt: session.createdAt,
        expiresAt,
      })
      const caller = { userId: id, sessionId: session.id, role, requestId: 'r' }
      const current = async () => {
        const user = await store.read((tx) => tx.users.findById(id))
        return { ...caller, role: user?.role ?? role }
      }
      return {
        id,
        token,
        open: () => openSocket(url, { token }),
        create: async (name: string, draft: JsonObject): Promise<StoredRecord> =>
          (await records.create(await current(), name, draft, null)).result,
        update: async (name: string, recordId: number, patch: JsonObject) =>
          records.update(await current(), name, recordId, patch, null),
        remove: async (name: string, recordId: number) => records.remove(await current(), name, recordId, null),
        batch: async (operations: Parameters<typeof records.batch>[1]) =>
          records.batch(await current(), operations, null),
        /** What the server lists, by id. */
        async list(name: string, filter: string | null = null): Promise<ReadonlyMap<number, object>> {
          const listed = new Map<number, object>()
          const { collection } = await store.read((tx) => catalog.find(tx, name))
          const query = { ownerId: null, text: null, createdAfter: null, createdBefore: null, size: 100 }
          const sort = { field: 'created_at', descending: false }
          let from: { readonly page: number } | { readonly after: { key: string | number; id: number } } = { page: 1 }
          for (;;) {
            const page = await records.list(await current(), name, { query: { ...query, sort, from }, filter })
            for (const record of page.items) listed.set(record.id, toRecordBody(collection, record))
            if (page.next === null) return listed
            from = { after: page.next }
          }
        },
        async setRole(to: Role) {
          await store.write(async (tx) => {
            const before = await tx.users.findById(id)
            if (before === null) throw new Error('the user is gone')
            await tx.users.update({ ...before, role: to })
            await tx.events.append({
              kind: 'users',
              event: 'user.updated',
              subjectId: id,
              ownerId: id,
              data: { id, name: before.name },
              previous: { id, name: before.name },
              actorId: id,
              requestId: null,
              createdAt: clock.now(),
            })
          })
          await bus.notices.publish(id)
        },
      }
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
