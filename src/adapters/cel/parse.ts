import type { Environment, ParseError } from '@marcbachmann/cel-js'
import type { ExpressionFault } from '../../domain/expression-names.ts'
import {
  MAX_EXPRESSION_DEPTH,
  MAX_EXPRESSION_LENGTH,
  MAX_EXPRESSION_NODES_COUNT,
  MAX_LIST_LITERAL_COUNT,
  type Syntax,
} from '../../domain/expression-syntax.ts'
import { syntaxOf } from './syntax.ts'

/** More arguments than any function takes. */
const MAX_CALL_ARGUMENTS_COUNT = 8

/** Loaded for the first expression, because it would make every start longer. */
const library = () => require('@marcbachmann/cel-js') as typeof import('@marcbachmann/cel-js')

let parser: Environment | null = null

const parserOf = (): Environment => {
  parser ??= new (library().Environment)({
    limits: {
      maxAstNodes: MAX_EXPRESSION_NODES_COUNT,
      maxDepth: MAX_EXPRESSION_DEPTH,
      maxListElements: MAX_LIST_LITERAL_COUNT,
      maxMapEntries: MAX_LIST_LITERAL_COUNT,
      maxCallArguments: MAX_CALL_ARGUMENTS_COUNT,
    },
  })
  return parser
}

const LIMITS: Readonly<Record<string, string>> = {
  maxAstNodes: `an expression has at most ${MAX_EXPRESSION_NODES_COUNT} parts`,
  maxDepth: `an expression is nested at most ${MAX_EXPRESSION_DEPTH} deep`,
  maxListElements: `a list has at most ${MAX_LIST_LITERAL_COUNT} elements`,
  maxMapEntries: 'maps are not supported',
  maxCallArguments: 'no function takes this many arguments',
}

const TOKENS: Readonly<Record<string, string>> = {
  RPAREN: ')',
  RBRACKET: ']',
  RBRACE: '}',
  COLON: ':',
  IDENTIFIER: 'a name',
}

const ESCAPE = 'this is no escape sequence that CEL knows'

/** Reasons by the parser's codes. Its messages quote the expression, so they are not passed on. */
const REASONS: Readonly<Record<string, string>> = {
  invalid_number: 'this number is too large',
  invalid_hex_integer: 'this is no integer',
  invalid_integer: 'this is no integer',
  invalid_exponent: 'an exponent has digits',
  newline_in_string: 'a string ends on the line where it begins',
  unterminated_string: 'this string has no end',
  unterminated_triple_quoted_string: 'this string has no end',
  bytes_unicode_escape: ESCAPE,
  invalid_unicode_escape: ESCAPE,
  invalid_unicode_surrogate: ESCAPE,
  invalid_hex_escape: ESCAPE,
  invalid_octal_escape: ESCAPE,
  octal_escape_out_of_range: ESCAPE,
  invalid_escape_sequence: ESCAPE,
  reserved_identifier: 'this name is a reserved word of CEL',
  invalid_macro_argument: 'the first argument must be a name, as in list.exists(each, each == 1)',
}

const HINTS: Readonly<Record<string, string>> = {
  '=': 'to compare, write ==',
  '&': 'write && for and',
  '|': 'write || for or',
}

const reasonOf = (error: ParseError, text: string, at: number): string => {
  const { code, summary } = error
  if (code === 'limit_exceeded') {
    const [, limit = ''] = /^Exceeded (\w+)/.exec(summary) ?? []
    return LIMITS[limit] ?? 'the expression is too large'
  }
  const known = REASONS[code]
  if (known !== undefined) return known
  const [, token = ''] = /^Expected (\w+)/.exec(summary) ?? []
  const expected = TOKENS[token]
  if (expected !== undefined) return `expected ${expected}`
  if (at >= text.length) return text.trim() === '' ? 'the expression is empty' : 'the expression ends too early'
  return HINTS[text.charAt(at)] ?? 'this is not expected here'
}

/** The number of characters in the first units of a text. */
const charactersOf = (text: string, units: number): number => Array.from(text.slice(0, units)).length

const isTooLong = (text: string): boolean =>
  text.length > 2 * MAX_EXPRESSION_LENGTH || charactersOf(text, text.length) > MAX_EXPRESSION_LENGTH

/** Counts the positions of faults in characters. */
export const inCharacters = (text: string, faults: readonly ExpressionFault[]): readonly ExpressionFault[] =>
  faults.map(({ position, detail }) => ({ position: charactersOf(text, position), detail }))

/** Positions are UTF-16 units. */
export const parse = (text: string): { readonly syntax: Syntax } | { readonly fault: ExpressionFault } => {
  if (isTooLong(text)) {
    return { fault: { position: 0, detail: `an expression has at most ${MAX_EXPRESSION_LENGTH} characters` } }
  }
  if (!text.isWellFormed()) return { fault: { position: 0, detail: 'an expression is valid Unicode' } }
  try {
    return { syntax: syntaxOf(parserOf().parse(text).ast) }
  } catch (error) {
    if (!(error instanceof library().ParseError)) throw error
    const position = error.range?.start ?? 0
    return { fault: { position, detail: reasonOf(error, text, position) } }
  }
}
