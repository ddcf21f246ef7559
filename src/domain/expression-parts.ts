import { type Expression, FALSE, TRUE, type Value } from './expression.ts'
import { isDuration, isTime } from './expression-values.ts'

/** The direct operands of an expression. */
export const operandsOf = (expression: Expression): readonly Expression[] => {
  switch (expression.kind) {
    case 'literal':
    case 'variable':
    case 'element':
    case 'failure':
      return []
    case 'list':
      return expression.elements
    case 'member':
    case 'referenced':
    case 'has':
    case 'not':
    case 'size':
    case 'timestamp':
    case 'duration':
      return [expression.of]
    case 'if':
      return [expression.condition, expression.yes, expression.no]
    case 'exists':
      return [expression.list, expression.test]
    default:
      return [expression.left, expression.right]
  }
}

/** The same expression with other operands. */
export const mapOperands = (expression: Expression, map: (operand: Expression) => Expression): Expression => {
  switch (expression.kind) {
    case 'literal':
    case 'variable':
    case 'element':
    case 'failure':
      return expression
    case 'list':
      return { ...expression, elements: expression.elements.map(map) }
    case 'member':
    case 'referenced':
    case 'has':
    case 'not':
    case 'size':
    case 'timestamp':
    case 'duration':
      return { ...expression, of: map(expression.of) }
    case 'if':
      return { kind: 'if', condition: map(expression.condition), yes: map(expression.yes), no: map(expression.no) }
    case 'exists':
      return { ...expression, list: map(expression.list), test: map(expression.test) }
    default:
      return { ...expression, left: map(expression.left), right: map(expression.right) }
  }
}

const some = (expression: Expression, test: (part: Expression) => boolean): boolean =>
  test(expression) || operandsOf(expression).some((operand) => some(operand, test))

export type VariableName = Extract<Expression, { readonly kind: 'variable' }>['name']

export const mentions = (expression: Expression, name: VariableName): boolean =>
  some(expression, (part) => part.kind === 'variable' && part.name === name)

/** Whether it reads a referenced record. */
export const followsReferences = (expression: Expression): boolean =>
  some(expression, ({ kind }) => kind === 'referenced')

/** Every reference that it follows. */
export const referencesIn = (
  expression: Expression,
): readonly Extract<Expression, { readonly kind: 'referenced' }>[] => [
  ...(expression.kind === 'referenced' ? [expression] : []),
  ...operandsOf(expression).flatMap(referencesIn),
]

/** Whether its value depends on nothing outside it: no variable, reference or element of an outer `exists`. */
export const isClosed = (expression: Expression, elements: readonly string[] = []): boolean => {
  if (expression.kind === 'variable' || expression.kind === 'referenced') return false
  if (expression.kind === 'element') return elements.includes(expression.name)
  if (expression.kind === 'exists') {
    return isClosed(expression.list, elements) && isClosed(expression.test, [...elements, expression.name])
  }
  return operandsOf(expression).every((operand) => isClosed(operand, elements))
}

/** Whether it always yields a boolean, unless it fails. */
export const isBoolean = (expression: Expression): boolean => {
  switch (expression.kind) {
    case 'literal':
      return typeof expression.value === 'boolean'
    case 'if':
      return isBoolean(expression.yes) && isBoolean(expression.no)
    case 'variable':
    case 'element':
    case 'member':
    case 'referenced':
    case 'list':
    case 'size':
    case 'timestamp':
    case 'duration':
    case 'add':
    case 'subtract':
      return false
    default:
      return true
  }
}

const split = (expression: Expression, kind: 'and' | 'or'): readonly Expression[] =>
  expression.kind === kind ? [...split(expression.left, kind), ...split(expression.right, kind)] : [expression]

/** The conditions that must all be true for it to be true. */
export const conjunctsOf = (expression: Expression): readonly Expression[] => split(expression, 'and')

/** The conditions of which one must be true for it to be true. */
export const disjunctsOf = (expression: Expression): readonly Expression[] => split(expression, 'or')

/** True if all of them are. `TRUE` for none, and `FALSE` if one of them is. */
export const conjunctionOf = (expressions: readonly Expression[]): Expression =>
  expressions.reduce((left, right) => {
    if (left === FALSE || right === TRUE) return left
    return left === TRUE || right === FALSE ? right : { kind: 'and', left, right }
  }, TRUE)

/** The name of a member of `record` itself, or null. */
export const fieldOf = (expression: Expression): string | null =>
  expression.kind === 'member' && expression.of.kind === 'variable' && expression.of.name === 'record'
    ? expression.name
    : null

const isScalar = (value: Value): boolean =>
  typeof value !== 'object' || value === null || isTime(value) || isDuration(value)

/** The scalar values that fields of `record` must have for it to be true: for `list == 7 && !done`, those of both. */
export const equalitiesOf = (expression: Expression): ReadonlyMap<string, Value> => {
  const equalities = new Map<string, Value>()
  for (const conjunct of conjunctsOf(expression)) {
    const sides = conjunct.kind === 'equal' ? [conjunct.left, conjunct.right] : []
    const [name] = sides.flatMap((side) => fieldOf(side) ?? [])
    const [literal] = sides.flatMap((side) => (side.kind === 'literal' ? [side] : []))
    if (name !== undefined && literal !== undefined && isScalar(literal.value)) equalities.set(name, literal.value)
  }
  return equalities
}
