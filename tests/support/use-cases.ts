import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import { applyPatch } from '../../src/adapters/json-patch/patch.ts'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { compileValidator } from '../../src/adapters/json-schema/validator.ts'
import { createMemoryBus } from '../../src/adapters/memory/bus.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { createUseCases } from '../../src/application/use-cases.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import type { Actor } from '../../src/domain/session.ts'
import { sessionTokens } from './sessions.ts'
import { quickPasswords } from './skep.ts'
import { userNamed } from './store.ts'

const HOUR_MS = 3_600_000

const clock = { now: () => Date.now() }

/** The use cases on a database, as the server composes them. */
export const useCasesOn = (unitOfWork: UnitOfWork, { managed = false } = {}) =>
  createUseCases({
    collections: COLLECTIONS,
    unitOfWork,
    bus: createMemoryBus(clock),
    passwords: quickPasswords(),
    accessTokens: sessionTokens,
    opaqueTokens: createOpaqueTokens('a secret that only these tests know'),
    clock,
    signup: 'open',
    reserve: { isReached: () => false },
    attemptRate: 'off',
    compilePattern,
    compileExpression,
    compileValidator,
    applyPatch,
    maxRecordBytes: 65_536,
    managed,
    accessTtlMs: HOUR_MS,
    refreshTtlMs: HOUR_MS,
  })

let actors = 0

/** A new user who has signed in. */
export const newActor = (unitOfWork: UnitOfWork, role: 'user' | 'admin' = 'user'): Promise<Actor> =>
  unitOfWork.write(async (tx) => {
    const { id } = await tx.users.insert({ ...userNamed(`actor${++actors}`), role })
    const times = { createdAt: 1, lastUsedAt: 1, expiresAt: Date.now() + HOUR_MS }
    const session = await tx.sessions.insert({ userId: id, device: '', address: '', ...times })
    return { userId: id, sessionId: session.id, role, requestId: 'r' }
  })
