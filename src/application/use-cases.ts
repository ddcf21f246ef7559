import type { Collection } from '../domain/collection.ts'
import type { Rate } from '../domain/measures.ts'
import { createAccess } from './access.ts'
import { createAccounts } from './accounts.ts'
import { createAttempts } from './attempts.ts'
import { createAuditLog } from './audit-log.ts'
import { createAuditReads } from './audit-reads.ts'
import { createCatalog } from './catalog.ts'
import { createCollections } from './collections.ts'
import { createJobs } from './jobs.ts'
import type { ApplyPatch, CompileExpression, CompilePattern, CompileValidator } from './ports/collections.ts'
import type { Bus } from './ports/messaging.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { AccessTokens, OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock, EventLoopSlices, Reserve } from './ports/system.ts'
import { createRecordUnits } from './record-units.ts'
import { createRecords } from './records.ts'
import { createSessions } from './sessions.ts'
import { createSetup } from './setup.ts'
import { createTokens } from './tokens.ts'
import { createUsers } from './users.ts'

interface Deps {
  readonly collections: readonly Collection[]
  readonly unitOfWork: UnitOfWork
  readonly bus: Pick<Bus, 'limiter' | 'notices'>
  readonly passwords: PasswordHasher
  readonly accessTokens: AccessTokens
  readonly opaqueTokens: OpaqueTokens
  readonly clock: Clock
  readonly signup: 'open' | 'closed'
  readonly reserve: Reserve
  /** Rate limit for password attempts. */
  readonly attemptRate: Rate | 'off'
  readonly slices: EventLoopSlices
  readonly compilePattern: CompilePattern
  readonly compileExpression: CompileExpression
  readonly compileValidator: CompileValidator
  readonly applyPatch: ApplyPatch
  readonly maxRecordBytes: number
  /** How many records the deletion of one may delete or change in one transaction. */
  readonly maxAffectedCount?: number
  /** Whether definitions come from files. */
  readonly managed: boolean
  readonly accessTtlMs: number
  readonly refreshTtlMs: number
}

/** The use cases that depend only on the database and its guards. */
export const createUseCases = ({ collections, bus, signup, attemptRate, accessTtlMs, refreshTtlMs, ...deps }: Deps) => {
  const { notices } = bus
  const attempts = createAttempts(bus.limiter, attemptRate, deps.unitOfWork)
  const catalog = createCatalog({ collections, ...deps })
  const units = createRecordUnits({ ...deps, catalog })
  const shared = { ...deps, notices, attempts, accessTtlMs, refreshTtlMs, catalog, units }
  const users = createUsers({ ...shared, signup })
  return {
    access: createAccess(shared),
    users,
    setup: createSetup({ ...deps, users }),
    tokens: createTokens(shared),
    sessions: createSessions(shared),
    accounts: createAccounts(shared),
    catalog,
    units,
    collections: createCollections(shared),
    records: createRecords(shared),
    jobs: createJobs(shared),
    auditLog: createAuditLog(deps),
    auditReads: createAuditReads(deps),
  }
}
