import { DEFAULT_RULES, nounOf, type RuleName } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { type AuthValue, type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { mentions, operandsOf } from '../domain/expression-parts.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Actor, Anonymous, Principal } from '../domain/session.ts'
import type { Instant, User } from '../domain/user.ts'
import { type Awaitable, andThen } from './awaitable.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { ReadTx } from './ports/persistence.ts'
import { createTester, type Tester } from './record-tester.ts'
import { storageIn } from './referenced-rows.ts'

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
export const isOwnerRule = (compiled: CompiledCollection, use: Exclude<RuleName, 'create'>): boolean =>
  isDefaultRule(compiled, use)

const isDefaultRule = ({ collection: { rules } }: CompiledCollection, use: RuleName): boolean => {
  const rule = rules?.[use]
  return rule === undefined || rule === DEFAULT_RULES[use]
}

/** Whether a caller may read a record because it is theirs, or as an admin. If not, a rule may still allow it. */
export const readsByDefault = (
  compiled: CompiledCollection,
  principal: Principal | null,
  { ownerId }: StoredRecord,
): boolean =>
  principal !== null && (principal.role === 'admin' || (ownerId === principal.userId && isOwnerRule(compiled, 'read')))

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

const authOf = ({ userId: id, role }: Principal, user: User | null): AuthValue => ({
  id,
  role,
  email: user?.email ?? '',
  emailVerified: user?.emailVerified ?? false,
})

const MAX_BOUND_RULES_COUNT = 1_000

/**
 * Rules that depend on nothing but who asks, by the id of a caller who is no admin, or null: binding one takes longer
 * than evaluating it.
 */
const createBoundRules = () => {
  type Callers = Map<number | null, Expression>
  const byRule = new WeakMap<Expression, Callers | null>()
  const callersOf = (rule: Expression): Callers | null => {
    const known = byRule.get(rule)
    if (known !== undefined) return known
    const callers: Callers | null = mentions(rule, 'now') || mentionsEmail(rule) ? null : new Map()
    byRule.set(rule, callers)
    return callers
  }

  return (rule: Expression, principal: Principal | null): Expression | null => {
    const callers = callersOf(rule)
    if (callers === null) return null
    const caller = principal?.userId ?? null
    const known = callers.get(caller)
    if (known !== undefined) return known
    const bound = bind(rule, { auth: principal && authOf(principal, null) })
    if (callers.size >= MAX_BOUND_RULES_COUNT) callers.clear()
    callers.set(caller, bound)
    return bound
  }
}

const boundRule = createBoundRules()

/**
 * The rule of a collection for a caller, with only `record` and `next` left to be known: `TRUE` for admins, `FALSE` for
 * everyone else if only they may. Null if it depends on more than who asks.
 */
const lastingRule = (compiled: CompiledCollection, use: RuleName, principal: Principal | null): Expression | null => {
  if (principal?.role === 'admin') return TRUE
  if (use === 'create' && isDefaultRule(compiled, use)) return principal === null ? FALSE : TRUE
  const rule = compiled.rules[use]
  return rule === null ? FALSE : boundRule(rule, principal)
}

/** As {@link lastingRule}, for a rule that depends on the time or on the caller's account. */
const momentaryRule = (
  tx: ReadTx,
  rule: Expression,
  principal: Principal | null,
  now: Instant,
): Awaitable<Expression> => {
  if (principal === null || !mentionsEmail(rule)) return bind(rule, { auth: principal && authOf(principal, null), now })
  return tx.users.findById(principal.userId).then((user) => bind(rule, { auth: authOf(principal, user), now }))
}

/** A caller, and what they may do, inside one transaction. */
export interface Authorization {
  readonly tx: ReadTx
  readonly principal: Principal | null
  readonly now: Instant
  /** Whether an expression, bound to the caller, is true for a record. */
  isTrue(expression: Expression, record: StoredRecord, next?: StoredRecord): Awaitable<boolean>
  /** The records of a collection with these ids, in their order. Those that rules have read are not read again. */
  records(target: string, ids: readonly number[]): Awaitable<readonly StoredRecord[]>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
  rule(compiled: CompiledCollection, use: RuleName): Awaitable<Expression>
  /** Whether the caller may read a record, which exists. */
  mayRead(compiled: CompiledCollection, record: StoredRecord): Awaitable<boolean>
  /** The record, if the caller may read it. Throws `not_found`, and `unauthenticated` for someone without a token. */
  readable(compiled: CompiledCollection, record: StoredRecord | null): Awaitable<StoredRecord>
  /** Whether the rule for changes reads the record as it would be. */
  readsNext(compiled: CompiledCollection): Awaitable<boolean>
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
  let bound: Map<Expression, Awaitable<Expression>> | null = null
  const isAdmin = principal?.role === 'admin'

  const rule = (compiled: CompiledCollection, use: RuleName): Awaitable<Expression> => {
    const lasting = lastingRule(compiled, use, principal)
    const expression = compiled.rules[use]
    if (lasting !== null || expression === null) return lasting ?? FALSE
    bound ??= new Map()
    const known = bound.get(expression) ?? momentaryRule(tx, expression, principal, now)
    bound.set(expression, known)
    return known
  }

  const testerOf = (): Tester => {
    tester ??= createTester(tx, storageIn(catalog))
    return tester
  }

  const isOwner = ({ ownerId }: StoredRecord): boolean => principal !== null && ownerId === principal.userId

  const absent = ({ collection }: CompiledCollection) => notFound(nounOf(collection))

  const readableByRule = (compiled: CompiledCollection, record: StoredRecord | null): Awaitable<StoredRecord> =>
    andThen(rule(compiled, 'read'), (read) =>
      andThen(record !== null && testerOf().isTrue(read, record), (isReadable) => {
        if (record !== null && isReadable) return record
        // Where anyone may read, signing in would not help.
        if (principal === null && read !== TRUE) return refuse(principal, '')
        throw absent(compiled)
      }),
    )

  return {
    tx,
    principal,
    now,
    isTrue: (expression, record, next) => testerOf().isTrue(expression, record, next),
    records: (target, ids) => testerOf().records(target, ids),
    forget: (target, id) => tester?.forget(target, id),
    rule,
    mayRead(compiled, record) {
      if (isAdmin) return true
      if (isOwnerRule(compiled, 'read')) return isOwner(record)
      return andThen(rule(compiled, 'read'), (read) => testerOf().isTrue(read, record))
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
      return andThen(rule(compiled, 'update'), (update) => mentions(update, 'next'))
    },
    async authorize(compiled, use, record, next) {
      if (isAdmin || (isOwnerRule(compiled, use) && isOwner(record))) return
      if (await testerOf().isTrue(await rule(compiled, use), record, next)) return
      refuse(principal, `You may not ${use === 'update' ? 'change' : 'delete'} this ${compiled.collection.singular}`)
    },
  }
}

/** The rule that a new record must pass. Throws if none can. */
export const creationRule = (
  { principal, rule }: Authorization,
  compiled: CompiledCollection,
): Awaitable<Expression> => {
  // Records of collections in code have an owner always.
  if (compiled.stored === null && principal === null) refuse(principal, '')
  return andThen(rule(compiled, 'create'), (bound) => {
    if (bound === FALSE) refuse(principal, `You may not create this ${compiled.collection.singular}`)
    return bound
  })
}

/** Throws unless the caller may change a record that they may read, as far as that is known without the change. */
export const requireChangeable = async (
  { principal, rule, readsNext, authorize }: Authorization,
  compiled: CompiledCollection,
  record: StoredRecord,
): Promise<void> => {
  if (!(await readsNext(compiled))) return authorize(compiled, 'update', record, record)
  if ((await rule(compiled, 'update')) === FALSE) {
    refuse(principal, `You may not change this ${compiled.collection.singular}`)
  }
}
