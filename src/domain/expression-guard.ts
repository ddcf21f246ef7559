import { type Expression, FAILURE, TRUE } from './expression.ts'
import { conjunctionOf, mapOperands, operandsOf, referencesIn } from './expression-parts.ts'

type Referenced = Extract<Expression, { readonly kind: 'referenced' }>

/** The same rule, applied to a referenced record. */
const ruleOver = (rule: Expression, record: Referenced): Expression =>
  rule.kind === 'variable' && rule.name === 'record'
    ? record
    : mapOperands(rule, (operand) => ruleOver(operand, record))

/** Whether it fails whenever one of the references in it does. */
const isStrict = (expression: Expression): boolean => {
  const { kind } = expression
  if (kind === 'and' || kind === 'or' || kind === 'if' || kind === 'exists') return false
  return operandsOf(expression).every(isStrict)
}

/**
 * A condition that reveals nothing about referenced records that may not be read: it treats them as missing. `ruleFor`
 * returns the rule for reading records of a target, with `record` as its only variable; `TRUE` if all may be read. Apply it
 * to a filter before {@link bind}, never to a rule, which may use records that a caller cannot see.
 */
export const guard = (condition: Expression, ruleFor: (target: string) => Expression): Expression => {
  const rulesFor = (expression: Expression): Expression =>
    conjunctionOf(
      // Those that lead to others come last, and are checked last.
      referencesIn(expression)
        .toReversed()
        .map((reference) => {
          const rule = ruleFor(reference.target)
          return rule === TRUE ? TRUE : ruleOver(rule, reference)
        })
        .filter((rule) => rule !== TRUE),
    )

  const guardMembers = (expression: Expression): Expression => {
    const { kind } = expression
    if ((kind !== 'member' && kind !== 'has') || expression.of.kind !== 'referenced') {
      return mapOperands(expression, guardMembers)
    }
    const readable = rulesFor(expression)
    return readable === TRUE ? expression : { kind: 'if', condition: readable, yes: expression, no: FAILURE }
  }

  const guardCondition = (expression: Expression): Expression => {
    if (expression.kind === 'and' || expression.kind === 'or') return mapOperands(expression, guardCondition)
    // Queries can be planned for a separate conjunct. If the rule is false the condition would fail, which denies as well.
    return isStrict(expression) ? conjunctionOf([rulesFor(expression), expression]) : guardMembers(expression)
  }

  return guardCondition(condition)
}
