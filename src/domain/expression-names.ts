import type { Collection } from './collection.ts'
import { type Expression, FAILURE } from './expression.ts'
import type { Typed } from './expression-operators.ts'
import type { SyntaxOf } from './expression-syntax.ts'
import { AUTH, isTimeType, TIMESTAMP, type Type, targetType, UNKNOWN } from './expression-types.ts'

/** Why an expression was refused. */
export interface ExpressionFault {
  /** Counted in characters from 0. */
  readonly position: number
  readonly detail: string
}

/** What an expression may use. */
export interface ExpressionContext {
  readonly collection: Collection
  /** A rule, or a filter, whose bare names are fields. */
  readonly use: 'read' | 'create' | 'update' | 'delete' | 'filter'
  /** Other collections, for references. */
  readonly collectionNamed: (name: string) => Collection | null
  /** Whether a field that the collection lacks was refused before, so that its use is no further fault. */
  readonly isFaulty?: (name: string) => boolean
}

/** How many references in a row an expression may follow. */
export const MAX_REFERENCE_STEPS_COUNT = 2

export interface Check {
  readonly context: ExpressionContext
  readonly record: Type
  readonly faults: ExpressionFault[]
}

/** The types of the elements that the enclosing `exists` test. */
export type Elements = ReadonlyMap<string, Type>

export const FAULTY: Typed = { expression: FAILURE, type: UNKNOWN }

export const refuse = ({ faults }: Check, at: number, detail: string): Typed => {
  faults.push({ position: at, detail })
  return FAULTY
}

const variableOf = (check: Check, name: string): Typed | null => {
  if (name === 'now') return { expression: { kind: 'variable', name }, type: TIMESTAMP }
  if (check.context.use === 'filter') return null
  if (name === 'auth') return { expression: { kind: 'variable', name }, type: AUTH }
  if (name !== 'record' && !(name === 'next' && check.context.use === 'update')) return null
  return { expression: { kind: 'variable', name }, type: check.record }
}

const unknownName = ({ use, collection }: ExpressionContext, name: string): string => {
  if (use === 'filter') {
    const isVariable = name === 'auth' || name === 'record' || name === 'next'
    return isVariable
      ? `a filter has no ${name}: it names the fields of a record directly`
      : `${collection.name} has no field of this name`
  }
  if (name === 'next') return 'next exists only in the update rule'
  return `there is no variable of this name, only auth, record${use === 'update' ? ', next' : ''} and now`
}

export const memberOf = (of: Expression, name: string, type: Type): Typed => ({
  expression: { kind: 'member', of, name, time: isTimeType(type) },
  type,
})

const referenceSteps = (expression: Expression): number => {
  if (expression.kind === 'referenced') return referenceSteps(expression.of) + 1
  if (expression.kind === 'member') return referenceSteps(expression.of)
  return expression.kind === 'if' ? Math.max(referenceSteps(expression.yes), referenceSteps(expression.no)) : 0
}

/** The record that a reference refers to. */
export const follow = (check: Check, at: number, { expression, type }: Typed): Typed => {
  if (type.kind !== 'number' || type.references === undefined) return { expression, type }
  const { collection, collectionNamed } = check.context
  const target = type.references === collection.name ? check.record : targetType(type.references, collectionNamed)
  if (target === null) return refuse(check, at, `it references ${type.references}, and there is no such collection`)
  const referenced: Expression = { kind: 'referenced', of: expression, target: type.references }
  if (referenceSteps(referenced) > MAX_REFERENCE_STEPS_COUNT) {
    return refuse(check, at, `an expression follows at most ${MAX_REFERENCE_STEPS_COUNT} references in a row`)
  }
  return { expression: referenced, type: target }
}

export const checkName = (check: Check, { at, name }: SyntaxOf<'name'>, elements: Elements): Typed => {
  const element = elements.get(name)
  if (element !== undefined) return { expression: { kind: 'element', name }, type: element }
  const variable = variableOf(check, name)
  if (variable !== null) return variable
  if (check.context.use === 'filter') {
    const type = check.record.kind === 'record' ? check.record.memberNamed(name) : null
    if (type !== null) return memberOf({ kind: 'variable', name: 'record' }, name, type)
  }
  return refuse(check, at, unknownName(check.context, name))
}
