import pkg from '../../package.json' with { type: 'json' }
import { describeApi } from '../../src/adapters/http/api.ts'
import { isNode, type Node, nodeAt, textAt } from '../../src/adapters/http/docs/node.ts'

export const document = await describeApi(pkg.version)

export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly node: Node
}

export const operations: readonly Operation[] = Object.entries(nodeAt(document, 'paths')).flatMap(([path, methods]) =>
  Object.entries(isNode(methods) ? methods : {}).map(([method, node]) => ({
    id: textAt(isNode(node) ? node : {}, 'operationId') ?? '',
    method: method.toUpperCase(),
    path,
    node: isNode(node) ? node : {},
  })),
)

/** The schemas of a document, by their names. */
export const schemasIn = (document: Node) => nodeAt(nodeAt(document, 'components'), 'schemas')

/** The operations of a document. */
export const operationsIn = (document: Node) =>
  Object.entries(nodeAt(document, 'paths')).flatMap(([path, methods]) =>
    Object.entries(isNode(methods) ? methods : {}).flatMap(([method, operation]) =>
      isNode(operation) ? [{ id: String(operation.operationId), method: method.toUpperCase(), path, operation }] : [],
    ),
  )

/** What a node stands for: itself, or what it refers to. */
export const resolved = (node: unknown): Node => {
  if (!isNode(node)) return {}
  const reference = textAt(node, '$ref')
  return reference === undefined ? node : resolved(reference.slice(2).split('/').reduce(nodeAt, document))
}

/** The answer of an operation, wherever it is written. */
export const responseOf = ({ node }: Operation, status: string | number): Node =>
  resolved(nodeAt(nodeAt(node, 'responses'), String(status)))

/** Every object in a JSON value, with where it is. */
export const nodesIn = function* (value: unknown, pointer = ''): Generator<readonly [string, Node]> {
  if (typeof value !== 'object' || value === null) return
  if (isNode(value)) yield [pointer, value]
  for (const [key, each] of Object.entries(value)) yield* nodesIn(each, `${pointer}/${key}`)
}
