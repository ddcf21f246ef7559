/** An operator of CEL that expressions may use. `-` with one operand is a sign, `?:` has three operands. */
export type Operator = '!' | '-' | '+' | '&&' | '||' | '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | '?:'

/** A CEL expression as written, whichever parser has read it. `at` is where it begins in the text. */
export type Syntax = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly value: null | boolean | number | string }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'member'; readonly of: Syntax; readonly name: string }
  /** `name(operands)`, or `of.name(operands)`. */
  | { readonly kind: 'call'; readonly of: Syntax | null; readonly name: string; readonly operands: readonly Syntax[] }
  | { readonly kind: 'operator'; readonly operator: Operator; readonly operands: readonly Syntax[] }
  | { readonly kind: 'list'; readonly elements: readonly Syntax[] }
  /** Valid CEL that is not supported. Its parts are checked nevertheless, to find every fault at once. */
  | { readonly kind: 'unsupported'; readonly reason: string; readonly parts: readonly Syntax[] }
)

export type SyntaxOf<K extends Syntax['kind']> = Extract<Syntax, { readonly kind: K }>

export const partsOf = (syntax: Syntax): readonly Syntax[] => {
  switch (syntax.kind) {
    case 'literal':
    case 'name':
      return []
    case 'member':
      return [syntax.of]
    case 'call':
      return syntax.of === null ? syntax.operands : [syntax.of, ...syntax.operands]
    case 'operator':
      return syntax.operands
    case 'list':
      return syntax.elements
    case 'unsupported':
      return syntax.parts
  }
}

/** Characters (code points) of the text. */
export const MAX_EXPRESSION_LENGTH = 4_000
export const MAX_EXPRESSION_NODES_COUNT = 500
export const MAX_EXPRESSION_DEPTH = 50
export const MAX_LIST_LITERAL_COUNT = 100

/** Counts the nodes of a tree, up to `most` and one more. */
export const nodesOf = (syntax: Syntax, most: number): number => {
  const open: Syntax[] = [syntax]
  let count = 0
  for (let node = open.pop(); node !== undefined && count <= most; node = open.pop()) {
    count++
    open.push(...partsOf(node))
  }
  return count
}

/** `a || b || c` is as deep as `a || b`. */
const isChained = (outer: Syntax, inner: Syntax): boolean =>
  outer.kind === 'operator' &&
  inner.kind === 'operator' &&
  outer.operator === inner.operator &&
  (outer.operator === '&&' || outer.operator === '||')

export const depthOf = (syntax: Syntax): number =>
  Math.max(1, ...partsOf(syntax).map((part) => depthOf(part) + (isChained(syntax, part) ? 0 : 1)))
