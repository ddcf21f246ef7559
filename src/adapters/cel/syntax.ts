import type { ASTNode } from '@marcbachmann/cel-js'
import type { Operator, Syntax } from '../../domain/expression-syntax.ts'

type Node<Op extends ASTNode['op']> = Extract<ASTNode, { readonly op: Op }>

const unsupported = (at: number, reason: string, parts: readonly ASTNode[] = []): Syntax => ({
  at,
  kind: 'unsupported',
  reason,
  parts: parts.map(syntaxOf),
})

const literalOf = ({ pos: at, args: value }: Node<'value'>): Syntax => {
  if (typeof value === 'bigint') {
    const number = Number(value)
    if (!Number.isFinite(number) || BigInt(number) !== value)
      return unsupported(at, 'this integer is too large to be exact')
    return { at, kind: 'literal', value: number }
  }
  if (value instanceof Uint8Array) return unsupported(at, 'bytes are not supported')
  if (typeof value === 'object' && value !== null) {
    return unsupported(at, 'unsigned integers are not supported: leave out the u')
  }
  return { at, kind: 'literal', value }
}

const operatorOf = (at: number, operator: Operator, operands: readonly ASTNode[]): Syntax => ({
  at,
  kind: 'operator',
  operator,
  operands: operands.map(syntaxOf),
})

/** The parser's tree in terms of the domain. */
export const syntaxOf = (node: ASTNode): Syntax => {
  const { pos: at } = node
  switch (node.op) {
    case 'value':
      return literalOf(node)
    case 'id':
      return { at, kind: 'name', name: node.args }
    case '.':
      return { at, kind: 'member', of: syntaxOf(node.args[0]), name: node.args[1] }
    case 'call':
      return { at, kind: 'call', of: null, name: node.args[0], operands: node.args[1].map(syntaxOf) }
    case 'rcall': {
      const [name, receiver, operands] = node.args
      return { at, kind: 'call', of: syntaxOf(receiver), name, operands: operands.map(syntaxOf) }
    }
    case 'list':
      return { at, kind: 'list', elements: node.args.map(syntaxOf) }
    case '!_':
      return operatorOf(at, '!', [node.args])
    case '-_':
      return operatorOf(at, '-', [node.args])
    case '*':
    case '/':
    case '%':
      return unsupported(at, `${node.op} is not supported`, node.args)
    case '[]':
      return unsupported(at, 'an index is not supported: name a member after a dot', node.args)
    case '.?':
      return unsupported(at, 'optional members are not supported', [node.args[0]])
    case '[?]':
      return unsupported(at, 'optional members are not supported', node.args)
    case 'map':
      return unsupported(at, 'maps are not supported', node.args.flat())
    default:
      return operatorOf(at, node.op, node.args)
  }
}
