import { DEFAULT_RULES, nounOf, type RuleName, rulesOf } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { type AuthValue, type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { evaluate, type Referenced } from '../domain/expression-evaluation.ts'
import { mentions, operandsOf } from '../domain/expression-parts.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Actor, Anonymous, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { ReadTx } from './ports/persistence.ts'

/** Who makes a change: a user, or someone without a token, where a rule admits anyone. */
export type Author = Actor | Anonymous

/** Null for someone without a token. */
export const principalOf = (author: Author): Actor | null => (author.userId === null ? null : author)

/** Throws `unauthenticated` for someone without a token, else `forbidden`. */
export const refuse = (principal: Principal | null, message: string): never => {
  if (principal === null) throw new AppError('unauthenticated', 'Sign in to do this')
  throw new AppError('forbidden', message)
}

/** Whether a rule says no more than that the owner may. */
export const isOwnerRule = ({ collection }: CompiledCollection, use: Exclude<RuleName, 'create'>): boolean =>
  rulesOf(collection)[use] === DEFAULT_RULES[use]

const readsEmail = (expression: Expression): boolean =>
  (expression.kind === 'member' &&
    expression.of.kind === 'variable' &&
    expression.of.name === 'auth' &&
    expression.name.startsWith('email')) ||
  operandsOf(expression).some(readsEmail)

const emailReaders = new WeakMap<Expression, boolean>()

/** Most rules do not, so the account is not looked up. */
const mentionsEmail = (rule: Expression): boolean => {
  const known = emailReaders.get(rule) ?? readsEmail(rule)
  emailReaders.set(rule, known)
  return known
}

const authOf = async (tx: ReadTx, principal: Principal | null, rule: Expression): Promise<AuthValue | null> => {
  if (principal === null) return null
  const user = mentionsEmail(rule) ? await tx.users.findById(principal.userId) : null
  const { userId: id, role } = principal
  return { id, role, email: user?.email ?? '', emailVerified: user?.emailVerified ?? false }
}

/**
 * The rule of a collection for a caller, with only `record` and `next` left to be known: `TRUE` for admins, `FALSE` for
 * everyone else if only they may.
 */
export const ruleFor = async (
  tx: ReadTx,
  { rules }: CompiledCollection,
  use: RuleName,
  principal: Principal | null,
  now: Instant,
): Promise<Expression> => {
  if (principal?.role === 'admin') return TRUE
  const rule = rules[use]
  return rule === null ? FALSE : bind(rule, { auth: await authOf(tx, principal, rule), now })
}

/** A rule follows at most two references in a row, and `&&`, `||` and `?:` may each ask for more. */
const MAX_ROUNDS_COUNT = 10
/** How many ids one look-up may have. */
export const MAX_LOOK_UP_COUNT = 100

/** The records of a collection with these ids, in parts. */
export const findInParts = async (
  tx: ReadTx,
  { storage }: CompiledCollection,
  ids: readonly number[],
): Promise<readonly StoredRecord[]> => {
  const found: StoredRecord[] = []
  for (let from = 0; from < ids.length; from += MAX_LOOK_UP_COUNT) {
    found.push(...(await tx.records(storage).findAll(ids.slice(from, from + MAX_LOOK_UP_COUNT))))
  }
  return found
}

const loadReferenced = async (
  tx: ReadTx,
  catalog: Catalog,
  target: string,
  ids: readonly number[],
): Promise<readonly Referenced[]> => {
  if (target === 'users') {
    const users = await Promise.all(ids.map((id) => tx.users.findById(id)))
    return users.flatMap((user) => (user === null ? [] : [{ id: user.id, name: user.name }]))
  }
  if (target === 'files') {
    const files = await Promise.all(ids.map((id) => tx.files.findById(id)))
    return files.flatMap((file) => (file === null ? [] : [{ ...file }]))
  }
  const compiled = await catalog.named(tx, target)
  return compiled === null ? [] : findInParts(tx, compiled, ids)
}

/** Tests records by bound expressions inside one transaction. Referenced records are read once. */
export interface Tester {
  holds(expression: Expression, record: StoredRecord, next?: StoredRecord): Promise<boolean>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
}

export const createTester = (tx: ReadTx, catalog: Catalog): Tester => {
  const known = new Map<string, Map<number, Referenced | null>>()

  const load = async (missing: ReadonlyMap<string, ReadonlySet<number>>): Promise<void> => {
    for (const [target, ids] of missing) {
      const loaded = known.get(target) ?? new Map<number, Referenced | null>()
      known.set(target, loaded)
      // Rows are locked in the same order by everyone.
      const sorted = [...ids].sort((one, other) => one - other)
      for (const id of sorted) loaded.set(id, null)
      for (const each of await loadReferenced(tx, catalog, target, sorted)) loaded.set(Number(each.id), each)
    }
  }

  return {
    async holds(expression, record, next) {
      if (expression === TRUE || expression === FALSE) return expression === TRUE
      for (let round = 0; round < MAX_ROUNDS_COUNT; round++) {
        const missing = new Map<string, Set<number>>()
        const value = evaluate(expression, {
          record,
          ...(next === undefined ? {} : { next }),
          referenced(target, id) {
            const found = known.get(target)?.get(id)
            if (found === undefined) missing.set(target, (missing.get(target) ?? new Set()).add(id))
            return found
          },
        })
        // What could not be read cannot change a value.
        if (value !== undefined || missing.size === 0) return value === true
        await load(missing)
      }
      return false
    },
    forget: (target, id) => void known.get(target)?.delete(id),
  }
}

/** A caller, and what they may do, inside one transaction. */
export interface Authorization {
  readonly tx: ReadTx
  readonly principal: Principal | null
  readonly now: Instant
  readonly tester: Tester
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
  rule(compiled: CompiledCollection, use: RuleName): Promise<Expression>
  /** Whether the caller may read a record, which exists. */
  mayRead(compiled: CompiledCollection, record: StoredRecord): boolean | Promise<boolean>
  /** The record, if the caller may read it. Throws `not_found`, and `unauthenticated` for someone without a token. */
  readable(compiled: CompiledCollection, record: StoredRecord | null): StoredRecord | Promise<StoredRecord>
  /** Whether the rule for changes reads the record as it would be. */
  readsNext(compiled: CompiledCollection): boolean | Promise<boolean>
  /** Throws `forbidden` unless the caller may change or delete a record that they may read. */
  authorize(
    compiled: CompiledCollection,
    use: 'update' | 'delete',
    record: StoredRecord,
    next?: StoredRecord,
  ): Promise<void>
}

export const createAuthorization = (
  tx: ReadTx,
  catalog: Catalog,
  principal: Principal | null,
  now: Instant,
): Authorization => {
  // Made when needed: most requests for items need neither.
  let tester: Tester | null = null
  let bound: Map<Expression, Promise<Expression>> | null = null
  const isAdmin = principal?.role === 'admin'

  const rule = (compiled: CompiledCollection, use: RuleName): Promise<Expression> => {
    const expression = compiled.rules[use]
    if (expression === null || isAdmin) return ruleFor(tx, compiled, use, principal, now)
    bound ??= new Map()
    const known = bound.get(expression) ?? ruleFor(tx, compiled, use, principal, now)
    bound.set(expression, known)
    return known
  }

  const testerOf = (): Tester => {
    tester ??= createTester(tx, catalog)
    return tester
  }

  const isOwner = ({ ownerId }: StoredRecord): boolean => principal !== null && ownerId === principal.userId

  const absent = ({ collection }: CompiledCollection) => notFound(nounOf(collection))

  const readableByRule = async (compiled: CompiledCollection, record: StoredRecord | null): Promise<StoredRecord> => {
    const read = await rule(compiled, 'read')
    if (record !== null && (await testerOf().holds(read, record))) return record
    // Where anyone may read, signing in would not help.
    if (principal === null && read !== TRUE) return refuse(principal, '')
    throw absent(compiled)
  }

  return {
    tx,
    principal,
    now,
    get tester() {
      return testerOf()
    },
    forget: (target, id) => tester?.forget(target, id),
    rule,
    mayRead(compiled, record) {
      if (isAdmin) return true
      if (isOwnerRule(compiled, 'read')) return isOwner(record)
      return rule(compiled, 'read').then((read) => testerOf().holds(read, record))
    },
    readable(compiled, record) {
      if (isAdmin && record !== null) return record
      if (!isAdmin && !isOwnerRule(compiled, 'read')) return readableByRule(compiled, record)
      if (record !== null && isOwner(record)) return record
      if (principal === null) return refuse(principal, '')
      throw absent(compiled)
    },
    readsNext(compiled) {
      if (isAdmin || isOwnerRule(compiled, 'update')) return false
      return rule(compiled, 'update').then((update) => mentions(update, 'next'))
    },
    async authorize(compiled, use, record, next) {
      if (isAdmin || (isOwnerRule(compiled, use) && isOwner(record))) return
      if (await testerOf().holds(await rule(compiled, use), record, next)) return
      refuse(principal, `You may not ${use === 'update' ? 'change' : 'delete'} this ${compiled.collection.singular}`)
    },
  }
}
