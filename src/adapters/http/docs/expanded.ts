import { type Collection, expandableOf } from '../../../domain/collection.ts'
import type { Node } from './node.ts'

/** The schemas of the targets of references other than records. */
const OTHER_TARGETS: Readonly<Record<string, string>> = { users: 'UserReference', files: 'StoredFile' }

/** The title of the schema of a collection's records; undefined if the document does not describe it. */
export type TitleOf = (collection: string) => string | undefined

/**
 * What `expand` adds to a record whose schema is called `title`. Each reference leads to the schema of its target, which
 * may lead back.
 */
export const expandedNode = (collection: Collection, title: string, titleOf: TitleOf): Node => {
  const properties = expandableOf(collection).flatMap(({ name, target, isList }): (readonly [string, Node])[] => {
    const schema = OTHER_TARGETS[target] ?? titleOf(target)
    if (schema === undefined) return []
    const reference = { $ref: `#/components/schemas/${schema}` }
    return [[name, isList ? { type: 'array', items: reference } : reference]]
  })
  return {
    type: 'object',
    title: `${title}Expanded`,
    description:
      'The records that `expand` requested and the caller may read, by the names of references; at most two levels',
    properties: Object.fromEntries(properties),
  }
}
