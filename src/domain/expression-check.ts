import type { Expression, Value } from './expression.ts'
import {
  type Check,
  checkName,
  type Elements,
  type ExpressionContext,
  type ExpressionFault,
  FAULTY,
  follow,
  memberOf,
  refuse,
} from './expression-names.ts'
import { chosen, combined, converted, negated, type Outcome, searched, type Typed } from './expression-operators.ts'
import { referencesIn } from './expression-parts.ts'
import {
  depthOf,
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_NODES_COUNT,
  MAX_LIST_LITERAL_COUNT,
  nodesOf,
  partsOf,
  type Syntax,
  type SyntaxOf,
} from './expression-syntax.ts'
import { parseDuration, parseTimestamp } from './expression-time.ts'
import {
  ANY,
  BOOLEAN,
  DURATION,
  describe,
  mayBe,
  NULL,
  NUMBER,
  recordType,
  STRING,
  TIMESTAMP,
  type Type,
  typeOfMember,
  UNKNOWN,
  unite,
} from './expression-types.ts'

/** Limited because each is evaluated together with the rule for reading the referenced record. */
const MAX_FILTER_REFERENCES_COUNT = 10

/** The first faults of an expression, by position. */
const MAX_EXPRESSION_FAULTS_COUNT = 20

const accept = (check: Check, at: number, outcome: Outcome): Typed =>
  typeof outcome === 'string' ? refuse(check, at, outcome) : outcome

const literal = (value: Value, type: Type): Typed => ({ expression: { kind: 'literal', value }, type })

const checkLiteral = ({ value }: SyntaxOf<'literal'>): Typed => {
  if (value === null) return literal(value, NULL)
  if (typeof value === 'boolean') return literal(value, BOOLEAN)
  return literal(value, typeof value === 'number' ? NUMBER : STRING)
}

const checkMember = (check: Check, { at, of, name }: SyntaxOf<'member'>, elements: Elements): Typed => {
  const base = follow(check, at, checkBase(check, of, elements))
  if (base.type.kind === 'unknown') return FAULTY
  if (base.type.kind === 'any') return memberOf(base.expression, name, ANY)
  if (base.type.kind !== 'record' && base.type.kind !== 'object') {
    const hint = base.type.kind === 'list' ? ': test its elements with exists' : ''
    return refuse(check, at, `${describe(base.type)} has no members${hint}`)
  }
  const type = base.type.kind === 'record' ? base.type.memberNamed(name) : typeOfMember(base.type.schema, name)
  if (type === null) return refuse(check, at, `${describe(base.type)} has no member of this name`)
  return memberOf(base.expression, name, type)
}

const checkHas = (check: Check, { at, operands }: SyntaxOf<'call'>, elements: Elements): Typed => {
  const [operand] = operands
  if (operand === undefined || operands.length > 1)
    return refuse(check, at, 'has takes one member, as has(record.field)')
  const { expression, type } = checkBase(check, operand, elements)
  if (type.kind === 'unknown') return { expression, type: BOOLEAN }
  if (expression.kind !== 'member') return refuse(check, operand.at, 'has takes a member, as has(record.field)')
  return { expression: { kind: 'has', of: expression.of, name: expression.name }, type: BOOLEAN }
}

const checkExists = (check: Check, syntax: SyntaxOf<'call'>, receiver: Syntax, elements: Elements): Typed => {
  const { at, operands } = syntax
  const list = checkValue(check, receiver, elements)
  const [variable, test] = operands
  if (variable?.kind !== 'name' || test === undefined || operands.length > 2) {
    return refuse(check, at, 'exists takes a name and a condition, as list.exists(each, each == 1)')
  }
  const { type } = list
  if (!mayBe(type, 'list')) return refuse(check, at, `exists tests the elements of a list, not of ${describe(type)}`)
  const element = type.kind === 'list' ? type.element : type.kind === 'any' ? ANY : UNKNOWN
  if (element.kind === 'list' || element.kind === 'object') {
    return refuse(check, at, `exists tests the elements of a list of scalars, not ${describe(element)}`)
  }
  // An element is not followed, because a list may contain many references.
  const inner = new Map(elements).set(variable.name, element.kind === 'number' ? NUMBER : element)
  const condition = checkValue(check, test, inner)
  if (!mayBe(condition.type, 'boolean')) {
    return refuse(check, test.at, `expected a boolean, not ${describe(condition.type)}`)
  }
  const expression: Expression = {
    kind: 'exists',
    list: list.expression,
    name: variable.name,
    test: condition.expression,
  }
  return { expression, type: BOOLEAN }
}

const checkTime = (check: Check, kind: 'timestamp' | 'duration', operand: Syntax, elements: Elements): Typed => {
  if (operand.kind !== 'literal' || typeof operand.value !== 'string') {
    return accept(check, operand.at, converted(kind, checkValue(check, operand, elements)))
  }
  if (kind === 'timestamp') {
    const timestampMs = parseTimestamp(operand.value)
    if (timestampMs !== null) return literal({ timestampMs }, TIMESTAMP)
    return refuse(check, operand.at, 'this is no timestamp as in RFC 3339, such as 2026-01-31T12:00:00Z')
  }
  const durationMs = parseDuration(operand.value)
  if (durationMs !== null) return literal({ durationMs }, DURATION)
  return refuse(check, operand.at, 'this is no duration in whole milliseconds, such as 1h30m or 90s')
}

const checkSize = (check: Check, at: number, operand: Syntax, elements: Elements): Typed => {
  const { expression, type } = checkValue(check, operand, elements)
  if (!mayBe(type, 'string', 'list', 'object')) {
    return refuse(check, at, `size counts the characters of a string or the elements of a list, not ${describe(type)}`)
  }
  return { expression: { kind: 'size', of: expression }, type: NUMBER }
}

const FUNCTIONS = ['has', 'size', 'timestamp', 'duration']
const METHODS = ['startsWith', 'endsWith', 'contains', 'exists', 'size']

/** Checks the operands of an unknown function, so that faults in them are also found. */
const unknownCall = (check: Check, syntax: SyntaxOf<'call'>, elements: Elements): Typed => {
  // A method such as `map(x, …)` gives this name a meaning.
  const parts = syntax.of !== null && syntax.operands[0]?.kind === 'name' ? [syntax.of] : partsOf(syntax)
  for (const part of parts) checkBase(check, part, elements)
  const isMethod = syntax.of !== null
  const names = (isMethod ? METHODS : FUNCTIONS).join(', ')
  return refuse(check, syntax.at, `there is no ${isMethod ? 'method' : 'function'} of this name, only ${names}`)
}

const checkFunction = (check: Check, syntax: SyntaxOf<'call'>, elements: Elements): Typed => {
  const { at, name, operands } = syntax
  if (!FUNCTIONS.includes(name)) return unknownCall(check, syntax, elements)
  if (name === 'has') return checkHas(check, syntax, elements)
  const [operand] = operands
  if (operand === undefined || operands.length > 1) return refuse(check, at, `${name} takes one argument`)
  if (name === 'size') return checkSize(check, at, operand, elements)
  return checkTime(check, name === 'timestamp' ? 'timestamp' : 'duration', operand, elements)
}

const checkMethod = (check: Check, syntax: SyntaxOf<'call'>, receiver: Syntax, elements: Elements): Typed => {
  const { at, name, operands } = syntax
  if (!METHODS.includes(name)) return unknownCall(check, syntax, elements)
  if (name === 'exists') return checkExists(check, syntax, receiver, elements)
  if (name === 'size') {
    return operands.length > 0 ? refuse(check, at, 'size takes no argument') : checkSize(check, at, receiver, elements)
  }
  const text = checkValue(check, receiver, elements)
  const [operand] = operands
  if (operand === undefined || operands.length > 1) return refuse(check, at, `${name} takes one argument`)
  return accept(check, at, searched(name, text, checkValue(check, operand, elements)) ?? FAULTY)
}

const checkElement = (check: Check, element: Syntax, elements: Elements): Typed => {
  const typed = checkValue(check, element, elements)
  const { kind } = typed.type
  if (kind !== 'list' && kind !== 'object') return typed
  return refuse(check, element.at, `an element of a list is a scalar, not ${describe(typed.type)}`)
}

const checkListSize = (check: Check, { at, elements }: SyntaxOf<'list'>): void => {
  if (elements.length <= MAX_LIST_LITERAL_COUNT) return
  refuse(check, at, `a list has at most ${MAX_LIST_LITERAL_COUNT} elements`)
}

const checkList = (check: Check, syntax: SyntaxOf<'list'>, elements: Elements): Typed => {
  checkListSize(check, syntax)
  let common = NULL
  const expressions: Expression[] = []
  for (const each of syntax.elements) {
    const { expression, type } = checkElement(check, each, elements)
    const united = unite(common, type)
    if (united === null) refuse(check, each.at, `the elements of a list have one type, here ${describe(common)}`)
    common = united ?? UNKNOWN
    expressions.push(expression)
  }
  // Nothing is known of the elements of an empty list.
  const element = expressions.length === 0 ? UNKNOWN : common
  return { expression: { kind: 'list', elements: expressions }, type: { kind: 'list', element } }
}

/** `value in [a, b]`, with each element compared with the value. */
const checkInList = (check: Check, value: Syntax, list: SyntaxOf<'list'>, elements: Elements): Typed => {
  checkListSize(check, list)
  const left = checkValue(check, value, elements)
  const expressions = list.elements.map((each) => {
    const element = checkElement(check, each, elements)
    accept(check, each.at, combined('==', left, element))
    return element.expression
  })
  const right: Expression = { kind: 'list', elements: expressions }
  return { expression: { kind: 'in', left: left.expression, right }, type: BOOLEAN }
}

const checkSign = (check: Check, at: number, operand: Syntax, elements: Elements): Typed => {
  if (operand.kind === 'literal' && typeof operand.value === 'number') return literal(0 - operand.value, NUMBER)
  checkValue(check, operand, elements)
  return refuse(check, at, 'a sign is only supported before a number')
}

const checkOperator = (check: Check, syntax: SyntaxOf<'operator'>, elements: Elements): Typed => {
  const { at, operator, operands } = syntax
  const [first, second, third] = operands
  if (first === undefined) return FAULTY
  if (second === undefined && operator === '-') return checkSign(check, at, first, elements)
  if (second?.kind === 'list' && operator === 'in') return checkInList(check, first, second, elements)
  // `auth == null` compares a record, which is not a value anywhere else.
  const isEquality = operator === '==' || operator === '!='
  const checkOperand = isEquality ? checkBase : checkValue
  const left = checkOperand(check, first, elements)
  if (second === undefined) return accept(check, at, negated(left))
  const right = checkOperand(check, second, elements)
  if (third === undefined) return accept(check, at, combined(operator, left, right))
  return accept(check, at, chosen(left, right, checkValue(check, third, elements)))
}

/** What may stand before a dot: a value, or a record. */
const checkBase = (check: Check, syntax: Syntax, elements: Elements): Typed => {
  switch (syntax.kind) {
    case 'literal':
      return checkLiteral(syntax)
    case 'name':
      return checkName(check, syntax, elements)
    case 'member':
      return checkMember(check, syntax, elements)
    case 'call':
      return syntax.of === null
        ? checkFunction(check, syntax, elements)
        : checkMethod(check, syntax, syntax.of, elements)
    case 'operator':
      return checkOperator(check, syntax, elements)
    case 'list':
      return checkList(check, syntax, elements)
    case 'unsupported':
      for (const part of syntax.parts) checkBase(check, part, elements)
      return refuse(check, syntax.at, syntax.reason)
  }
}

const checkValue = (check: Check, syntax: Syntax, elements: Elements): Typed => {
  const typed = checkBase(check, syntax, elements)
  if (typed.type.kind !== 'record') return typed
  return refuse(check, syntax.at, `${describe(typed.type)} is not a value: name one of its members`)
}

/** Checks an expression that must yield a boolean. Positions are those of its syntax. */
export const checkExpression = (
  syntax: Syntax,
  context: ExpressionContext,
): { readonly expression: Expression } | { readonly faults: readonly ExpressionFault[] } => {
  const check: Check = { context, record: recordType(context.collection, context.isFaulty), faults: [] }
  if (nodesOf(syntax, MAX_EXPRESSION_NODES_COUNT) > MAX_EXPRESSION_NODES_COUNT) {
    refuse(check, 0, `an expression has at most ${MAX_EXPRESSION_NODES_COUNT} parts`)
  } else if (depthOf(syntax) > MAX_EXPRESSION_DEPTH) {
    refuse(check, 0, `an expression is nested at most ${MAX_EXPRESSION_DEPTH} deep`)
  } else {
    const { expression, type } = checkValue(check, syntax, new Map())
    if (!mayBe(type, 'boolean')) refuse(check, syntax.at, `an expression yields a boolean, not ${describe(type)}`)
    if (context.use === 'filter' && referencesIn(expression).length > MAX_FILTER_REFERENCES_COUNT) {
      refuse(check, 0, `a filter follows at most ${MAX_FILTER_REFERENCES_COUNT} references`)
    }
    if (check.faults.length === 0) return { expression }
  }
  const faults = check.faults.toSorted((one, other) => one.position - other.position)
  return { faults: faults.slice(0, MAX_EXPRESSION_FAULTS_COUNT) }
}
