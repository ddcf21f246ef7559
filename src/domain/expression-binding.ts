import { type AuthValue, type Expression, FAILURE, FALSE, type Literal, TRUE, type Value } from './expression.ts'
import { authMembers, evaluate, type FindReferenced, referencedMember } from './expression-evaluation.ts'
import { isBoolean, isClosed } from './expression-parts.ts'
import type { StoredRecord } from './record.ts'
import type { Instant } from './user.ts'

/**
 * How a result is used. A `condition` must be true: false and a failure are equivalent. A `boolean` is an operand of a
 * logical operator: any value that is not a boolean is a failure.
 */
type Use = 'condition' | 'boolean' | 'value'

/** The known parts of an expression. */
interface Known {
  /** The value of this expression if it is known without evaluating its operands; null otherwise. */
  readonly knownValue: (expression: Expression) => Expression | null
  readonly referenced: FindReferenced
}

type Kind<K extends Expression['kind']> = Extract<Expression, { readonly kind: K }>

const literal = (value: Value): Expression => {
  if (typeof value === 'boolean') return value ? TRUE : FALSE
  return { kind: 'literal', value }
}

const isKnown = (expression: Expression): expression is Literal | Kind<'failure'> =>
  expression.kind === 'literal' || expression.kind === 'failure'

/** Closed expressions do not read it. */
const NO_RECORD: StoredRecord = { id: 0, ownerId: null, version: 0, epoch: '', createdAt: 0, updatedAt: 0 }

/** The value of an expression whose operands are all known. */
const computed = (expression: Expression): Expression => {
  const value = evaluate(expression, { record: NO_RECORD, referenced: () => undefined })
  return value === undefined ? FAILURE : literal(value)
}

/** A strict operator fails if one of its operands does. */
const strict = (expression: Expression, operands: readonly Expression[]): Expression => {
  if (operands.some(({ kind }) => kind === 'failure')) return FAILURE
  return operands.every(isKnown) ? computed(expression) : expression
}

const operandUse = (use: Use): Use => (use === 'value' ? 'boolean' : use)

interface Logical {
  readonly kind: 'and' | 'or'
  readonly left: Expression
  readonly right: Expression
}

const logical = ({ kind, left, right }: Logical, use: Use, known: Known): Expression => {
  const [one, other] = [rewrite(left, operandUse(use), known), rewrite(right, operandUse(use), known)]
  const [decisive, neutral] = kind === 'and' ? [FALSE, TRUE] : [TRUE, FALSE]
  if (one === decisive || other === decisive) return decisive
  // On its own, an operand that is not a boolean would be a value; here it is a failure.
  if (one === neutral && (use !== 'value' || isBoolean(other))) return other
  if (other === neutral && (use !== 'value' || isBoolean(one))) return one
  if (one.kind === 'failure' && other.kind === 'failure') return FAILURE
  return { kind, left: one, right: other }
}

const conditional = (expression: Kind<'if'>, use: Use, known: Known): Expression => {
  const condition = rewrite(expression.condition, 'boolean', known)
  if (condition.kind === 'failure') return FAILURE
  if (condition === TRUE) return rewrite(expression.yes, use, known)
  if (condition === FALSE) return rewrite(expression.no, use, known)
  return { kind: 'if', condition, yes: rewrite(expression.yes, use, known), no: rewrite(expression.no, use, known) }
}

const exists = (expression: Kind<'exists'>, use: Use, known: Known): Expression => {
  const list = rewrite(expression.list, 'value', known)
  if (list.kind === 'failure') return FAILURE
  const test = rewrite(expression.test, operandUse(use), known)
  if (use === 'condition' && test === FALSE) return FALSE
  const rewritten: Expression = { kind: 'exists', list, name: expression.name, test }
  return isClosed(rewritten) ? computed(rewritten) : rewritten
}

const member = (expression: Kind<'member' | 'has'>, known: Known): Expression => {
  const of = rewrite(expression.of, 'value', known)
  if (of.kind === 'referenced' && of.of.kind === 'literal' && typeof of.of.value === 'number') {
    const record = known.referenced(of.target, of.of.value)
    if (record === null) return FAILURE
    if (record !== undefined) return literalOrFailure(referencedMember(expression, of.target, record))
  }
  return strict({ ...expression, of }, [of])
}

const literalOrFailure = (value: Value | undefined): Expression => (value === undefined ? FAILURE : literal(value))

const reference = ({ of, target }: Kind<'referenced'>, known: Known): Expression => {
  const id = rewrite(of, 'value', known)
  if (isKnown(id) && (id.kind === 'failure' || typeof id.value !== 'number')) return FAILURE
  return { kind: 'referenced', of: id, target }
}

const rewritten = (expression: Expression, use: Use, known: Known): Expression => {
  switch (expression.kind) {
    case 'literal':
      return literal(expression.value)
    case 'failure':
    case 'variable':
    case 'element':
      return expression
    case 'member':
    case 'has':
      return member(expression, known)
    case 'referenced':
      return reference(expression, known)
    case 'list': {
      const elements = expression.elements.map((each) => rewrite(each, 'value', known))
      return strict({ kind: 'list', elements }, elements)
    }
    case 'not':
    case 'size':
    case 'timestamp':
    case 'duration': {
      const of = rewrite(expression.of, expression.kind === 'not' ? 'boolean' : 'value', known)
      return strict({ kind: expression.kind, of }, [of])
    }
    case 'if':
      return conditional(expression, use, known)
    case 'exists':
      return exists(expression, use, known)
    case 'and':
    case 'or':
      return logical({ kind: expression.kind, left: expression.left, right: expression.right }, use, known)
    default: {
      const [left, right] = [rewrite(expression.left, 'value', known), rewrite(expression.right, 'value', known)]
      return strict({ kind: expression.kind, left, right }, [left, right])
    }
  }
}

const rewrite = (expression: Expression, use: Use, known: Known): Expression => {
  const result = known.knownValue(expression) ?? rewritten(expression, use, known)
  if (use === 'value' || !isKnown(result)) return result
  if (result === TRUE || result === FALSE) return result
  return use === 'condition' ? FALSE : FAILURE
}

const NOTHING_LOADED: FindReferenced = () => undefined

/**
 * The same condition for one caller at one time: `auth` and `now` are replaced, and everything that follows from them is
 * evaluated. Without a time, `now` stays a variable. The result {@link isTrue} for the same records. If that does not
 * depend on the record, it is `TRUE` or `FALSE` itself.
 */
export const bind = (
  expression: Expression,
  { auth, now }: { readonly auth: AuthValue | null; readonly now?: Instant },
): Expression => {
  const authLiteral = literal(auth === null ? null : { members: authMembers(auth) })
  const nowLiteral = now === undefined ? null : literal({ timestampMs: now })
  const knownValue = (each: Expression) => {
    if (each.kind !== 'variable') return null
    if (each.name === 'auth') return authLiteral
    return each.name === 'now' ? nowLiteral : null
  }
  return rewrite(expression, 'condition', { knownValue, referenced: NOTHING_LOADED })
}

/**
 * The same condition for records whose fields have known values, by their names in expressions (`list`, `owner_id`):
 * everything that follows from these values, and from referenced records if they are loaded, is evaluated. Among such
 * records, the result {@link isTrue} for the same ones. As with {@link bind}, it may be `TRUE` or `FALSE` itself.
 */
export const assume = (
  expression: Expression,
  equalities: ReadonlyMap<string, Value>,
  referenced: FindReferenced,
): Expression => {
  const knownValue = (each: Expression) => {
    if (each.kind !== 'member' && each.kind !== 'has') return null
    if (each.of.kind !== 'variable' || each.of.name !== 'record') return null
    const value = equalities.get(each.name)
    if (value === undefined) return null
    return literal(each.kind === 'has' ? value !== null : value)
  }
  return rewrite(expression, 'condition', { knownValue, referenced })
}
