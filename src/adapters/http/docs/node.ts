/** A JSON object of unknown structure. */
export type Node = Readonly<Record<string, unknown>>

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object at `key`; empty if there is none. */
export const nodeAt = (node: Node, key: string): Node => {
  const value = node[key]
  return isNode(value) ? value : {}
}

/** The list at `key`; empty if there is none. */
export const listAt = (node: Node, key: string): readonly unknown[] => {
  const value = node[key]
  return Array.isArray(value) ? value : []
}

/** The text at `key`, if it is a string. */
export const textAt = (node: Node, key: string): string | undefined => {
  const value = node[key]
  return typeof value === 'string' ? value : undefined
}

export const mapValues = <T>(node: Node, change: (value: unknown, key: string) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(node).map(([key, value]) => [key, change(value, key)]))
