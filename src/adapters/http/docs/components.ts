import { isDeepStrictEqual } from 'node:util'
import { isNode, type Node, textAt } from './node.ts'

/** The named components of the document: schemas and responses. */
export interface Components {
  /** Stores a schema under its name and returns a reference to it. Throws if a different schema has that name. */
  refer(name: string, schema: Node): Node
  /** The same for a response. */
  referResponse(name: string, response: Node): Node
  /** A reference to the response that has this name; null if there is none yet. */
  sharedResponse(name: string): Node | null
  /** Resolves a reference; returns any other schema unchanged. */
  resolve(schema: Node): Node
  /** All schemas, by name, in alphabetical order. */
  schemas(): Node
  /** All responses, by name, in alphabetical order. */
  responses(): Node
}

const SCHEMAS = '#/components/schemas/'

const createNamed = (kind: string, prefix: string) => {
  const named = new Map<string, Node>()
  return {
    named,
    reference: (name: string): Node | null => (named.has(name) ? { $ref: `${prefix}${name}` } : null),
    refer(name: string, node: Node): Node {
      const known = named.get(name)
      if (known !== undefined && !isDeepStrictEqual(known, node)) throw new Error(`two ${kind} are called ${name}`)
      named.set(name, node)
      return { $ref: `${prefix}${name}` }
    },
    sorted: (): Node => Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** Responses that operations share: every one with the same name is the same. */
export const createSharedResponses = () => createNamed('responses', '#/components/responses/')

export const createComponents = (responses = createSharedResponses()): Components => {
  const schemas = createNamed('schemas', SCHEMAS)
  return {
    refer: schemas.refer,
    referResponse: responses.refer,
    sharedResponse: responses.reference,
    resolve(schema) {
      const reference = textAt(schema, '$ref')
      const found = reference === undefined ? schema : schemas.named.get(reference.slice(SCHEMAS.length))
      return isNode(found) ? found : {}
    },
    schemas: schemas.sorted,
    responses: responses.sorted,
  }
}
