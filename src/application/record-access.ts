import { DEFAULT_RULES, type RuleName, rulesOf } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import { type AuthValue, type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { holds, type Referenced } from '../domain/expression-evaluation.ts'
import { operandsOf } from '../domain/expression-parts.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { ReadTx } from './ports/persistence.ts'

/** Someone without an account. */
export interface Anonymous {
  readonly userId: null
  readonly role: null
}

/** For whom rules are evaluated. */
export type RecordReaderRole = Principal | Anonymous

export const ANONYMOUS: Anonymous = { userId: null, role: null }

export const isAnonymous = (caller: RecordReaderRole): caller is Anonymous => caller.userId === null

const readsEmail = (expression: Expression): boolean =>
  (expression.kind === 'member' &&
    expression.of.kind === 'variable' &&
    expression.of.name === 'auth' &&
    expression.name.startsWith('email')) ||
  operandsOf(expression).some(readsEmail)

const authOf = async (tx: ReadTx, caller: RecordReaderRole, rule: Expression): Promise<AuthValue | null> => {
  if (isAnonymous(caller)) return null
  const user = readsEmail(rule) ? await tx.users.findById(caller.userId) : null
  return {
    id: caller.userId,
    role: caller.role,
    email: user?.email ?? '',
    emailVerified: user?.emailVerified ?? false,
  }
}

/**
 * The rule of a collection for a caller, with only `record` and `next` left to be known: `TRUE` for admins, `FALSE` for
 * everyone else if only they may.
 */
export const ruleFor = async (
  tx: ReadTx,
  { rules }: CompiledCollection,
  use: RuleName,
  caller: RecordReaderRole,
  now: Instant,
): Promise<Expression> => {
  if (caller.role === 'admin') return TRUE
  const rule = rules[use]
  return rule === null ? FALSE : bind(rule, { auth: await authOf(tx, caller, rule), now })
}

/** Whether a rule says no more than that the owner may. */
export const isOwnerRule = ({ collection }: CompiledCollection, use: 'read' | 'update' | 'delete'): boolean =>
  rulesOf(collection)[use] === DEFAULT_RULES[use]

/** Each reference of a rule leads to at most two further ones. */
const MAX_ROUNDS_COUNT = 4
const MAX_READ_COUNT = 100

const loadReferenced = async (
  tx: ReadTx,
  catalog: Catalog,
  target: string,
  ids: readonly number[],
): Promise<readonly Referenced[]> => {
  if (target === 'users') {
    const users = []
    for (const id of ids) users.push(await tx.users.findById(id))
    return users.flatMap((user) => (user === null ? [] : [{ id: user.id, name: user.name }]))
  }
  if (target === 'files') {
    const files = []
    for (const id of ids) files.push(await tx.files.findById(id))
    return files.flatMap((file) => (file === null ? [] : [{ ...file }]))
  }
  const collection = await catalog.named(tx, target)
  const found: StoredRecord[] = []
  if (collection === null) return found
  for (let from = 0; from < ids.length; from += MAX_READ_COUNT) {
    found.push(...(await tx.records(collection.storage).findAll(ids.slice(from, from + MAX_READ_COUNT))))
  }
  return found
}

/** Tests records by expressions inside one transaction. Referenced records are read once. */
export const createTester = (tx: ReadTx, catalog: Catalog) => {
  const known = new Map<string, Map<number, Referenced | null>>()

  /** Whether an expression whose rule is bound holds. */
  return async (expression: Expression, record: StoredRecord, next?: StoredRecord): Promise<boolean> => {
    if (expression === TRUE || expression === FALSE) return expression === TRUE
    for (let round = 0; round < MAX_ROUNDS_COUNT; round++) {
      const missing = new Map<string, Set<number>>()
      const result = holds(expression, {
        record,
        ...(next === undefined ? {} : { next }),
        referenced(target, id) {
          const found = known.get(target)?.get(id)
          if (found === undefined) missing.set(target, (missing.get(target) ?? new Set()).add(id))
          return found
        },
      })
      if (missing.size === 0) return result
      for (const [target, ids] of missing) {
        const loaded = known.get(target) ?? new Map<number, Referenced | null>()
        known.set(target, loaded)
        for (const id of ids) loaded.set(id, null)
        for (const each of await loadReferenced(tx, catalog, target, [...ids])) loaded.set(Number(each.id), each)
      }
    }
    return false
  }
}

export type Tester = ReturnType<typeof createTester>

/** Throws `unauthenticated` for someone without an account, else `forbidden`. */
export const refuse = (caller: RecordReaderRole, message: string): never => {
  if (isAnonymous(caller)) throw new AppError('unauthenticated', 'Sign in to do this')
  throw new AppError('forbidden', message)
}
