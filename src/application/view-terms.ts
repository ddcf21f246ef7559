import type { Expression, Value } from '../domain/expression.ts'
import { conjunctsOf, disjunctsOf, operandsOf, referencesIn } from '../domain/expression-parts.ts'
import { isList, isObject, isTime } from '../domain/expression-values.ts'

/** A reference field, and the collection that it references. */
export interface Hop {
  readonly field: string
  readonly target: string
}

/** A referenced record that conditions read: how to get there from a record, and which members they read. */
export interface ReferenceUse {
  readonly path: readonly Hop[]
  readonly members: ReadonlySet<string>
}

/** The value that an expression must have, or a list must contain, for a condition to be true. */
export interface Term {
  readonly path: Expression
  readonly isList: boolean
  readonly value: string
}

type Reference = Extract<Expression, { readonly kind: 'referenced' }>

/** Null if it is not a field of the record, or of a record that such a field references. */
const pathOf = ({ of, target }: Reference): readonly Hop[] | null => {
  if (of.kind !== 'member') return null
  const hop = { field: of.name, target }
  if (of.of.kind === 'variable') return [hop]
  const before = of.of.kind === 'referenced' ? pathOf(of.of) : null
  return before && [...before, hop]
}

const namesRead = (expression: Expression, reads: (of: Reference, name: string) => void): void => {
  const isMember = expression.kind === 'member' || expression.kind === 'has'
  if (isMember && expression.of.kind === 'referenced') reads(expression.of, expression.name)
  for (const operand of operandsOf(expression)) namesRead(operand, reads)
}

/** The referenced records that conditions read. Null if one of them is reached other than by following fields. */
export const usesOf = (conditions: readonly Expression[]): readonly ReferenceUse[] | null => {
  const uses = new Map<string, { readonly path: readonly Hop[]; readonly members: Set<string> }>()
  for (const condition of conditions) {
    if (referencesIn(condition).some((reference) => pathOf(reference) === null)) return null
    namesRead(condition, (of, name) => {
      const path = pathOf(of) ?? []
      const key = JSON.stringify(path)
      const use = uses.get(key) ?? { path, members: new Set() }
      uses.set(key, use)
      use.members.add(name)
    })
  }
  return [...uses.values()]
}

/** Equal for equal scalars; null for any other value. */
export const valueKey = (value: Value | undefined): string | null => {
  if (value === undefined || isList(value)) return null
  if (value === null || typeof value !== 'object') return typeof value + String(value)
  return isObject(value) || !isTime(value) ? null : `time${value.timestampMs}`
}

const literalKey = (expression: Expression): string | null =>
  expression.kind === 'literal' ? valueKey(expression.value) : null

/** Whether it is a member of the record, or of a referenced one: every event evaluates all paths at once. */
const isPath = (expression: Expression): boolean => {
  if (expression.kind === 'referenced') return isPath(expression.of)
  return expression.kind === 'member' && (expression.of.kind === 'variable' || isPath(expression.of))
}

const termsOfComparison = (expression: Expression): readonly Term[] | null => {
  if (expression.kind === 'equal') {
    for (const [literal, path] of [
      [expression.left, expression.right],
      [expression.right, expression.left],
    ] as const) {
      const value = literalKey(literal)
      if (value !== null && isPath(path)) return [{ path, isList: false, value }]
    }
  }
  if (expression.kind === 'in') {
    const value = literalKey(expression.left)
    if (value !== null && isPath(expression.right)) return [{ path: expression.right, isList: true, value }]
  }
  return null
}

/**
 * Terms of which one is true whenever the condition is, so that the conditions that a record can meet are found by its
 * values. Null if there are no such terms.
 */
export const termsOf = (condition: Expression): readonly Term[] | null => {
  if (condition.kind === 'failure' || (condition.kind === 'literal' && condition.value !== true)) return []
  if (condition.kind === 'and') {
    let best: readonly Term[] | null = null
    for (const conjunct of conjunctsOf(condition)) {
      const terms = termsOf(conjunct)
      if (terms !== null && (best === null || terms.length < best.length)) best = terms
    }
    return best
  }
  if (condition.kind === 'or') {
    const all: Term[] = []
    for (const disjunct of disjunctsOf(condition)) {
      const terms = termsOf(disjunct)
      if (terms === null) return null
      all.push(...terms)
    }
    return all
  }
  return termsOfComparison(condition)
}
