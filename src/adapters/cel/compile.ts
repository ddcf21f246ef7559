import type { CompileExpression } from '../../application/ports/collections.ts'
import { checkExpression } from '../../domain/expression-check.ts'
import { inCharacters, parse } from './parse.ts'

export const compileExpression: CompileExpression = (text, context) => {
  const parsed = parse(text)
  if ('fault' in parsed) return { faults: inCharacters(text, [parsed.fault]) }
  const checked = checkExpression(parsed.syntax, context)
  return 'faults' in checked ? { faults: inCharacters(text, checked.faults) } : checked
}
