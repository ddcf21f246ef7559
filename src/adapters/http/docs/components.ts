import { isDeepStrictEqual } from 'node:util'
import type { Node } from './node.ts'

/** The schemas of the document that have a name. */
export interface Components {
  /** Keeps a schema under its name and answers the reference to it. Throws when another schema has that name. */
  refer(name: string, schema: Node): Node
  /** All of them, by name, in alphabetical order. */
  schemas(): Node
}

export const createComponents = (): Components => {
  const named = new Map<string, Node>()
  return {
    refer(name, schema) {
      const known = named.get(name)
      if (known !== undefined && !isDeepStrictEqual(known, schema)) throw new Error(`two schemas are called ${name}`)
      named.set(name, schema)
      return { $ref: `#/components/schemas/${name}` }
    },
    schemas: () => Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))),
  }
}
