/** A JSON object of which nothing is known yet. */
export type Node = Readonly<Record<string, unknown>>

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The object at `key`; an empty one when there is none. */
export const nodeAt = (node: Node, key: string): Node => {
  const value = node[key]
  return isNode(value) ? value : {}
}

/** The list at `key`; an empty one when there is none. */
export const listAt = (node: Node, key: string): readonly unknown[] => {
  const value = node[key]
  return Array.isArray(value) ? value : []
}

/** The text at `key`, if it is one. */
export const textAt = (node: Node, key: string): string | undefined => {
  const value = node[key]
  return typeof value === 'string' ? value : undefined
}

export const mapValues = <T>(node: Node, change: (value: unknown, key: string) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(node).map(([key, value]) => [key, change(value, key)]))
