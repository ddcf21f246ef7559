import type { StoredCollection } from '../../../application/ports/collections.ts'
import type { EventLoopSlices } from '../../../application/ports/system.ts'
import { expandableOf, titleOf } from '../../../domain/collection.ts'
import { COLLECTIONS } from '../../../domain/collections/index.ts'
import type { Content } from '../static-content.ts'
import { type CollectionNames, collectionPaths, namesOf, operationIdsOf, schemaNamesOf } from './collection.ts'
import { createComponents, createSharedResponses } from './components.ts'
import type { TitleOf } from './expanded.ts'
import { type Bytes, createLiveContent, joined, membersOf, type Piece, toUtf8 } from './live-content.ts'
import { isNode, listAt, type Node, nodeAt, textAt } from './node.ts'

interface Deps {
  /** The document of everything that is defined in code. */
  readonly base: () => Promise<Node>
  /** The collections defined at run time: the same objects as before unless they have changed. */
  readonly collections: () => Promise<readonly StoredCollection[]>
  readonly slices: EventLoopSlices
}

/** The additions of one collection to the document: members of objects in it, as JSON without the braces. */
interface Fragment {
  /** Differs if the same definition is described in another way, because of other collections. */
  readonly key: string
  readonly paths: Bytes
  readonly schemas: Bytes
}

const schemasIn = (document: Node): Node => nodeAt(nodeAt(document, 'components'), 'schemas')

const withoutKnown = (schemas: Node, known: Node): Node =>
  Object.fromEntries(Object.entries(schemas).filter(([name]) => !(name in known)))

const operationIdsIn = (document: Node): readonly string[] =>
  Object.values(nodeAt(document, 'paths')).flatMap((methods) =>
    Object.values(isNode(methods) ? methods : {}).flatMap((each) =>
      isNode(each) ? [textAt(each, 'operationId') ?? ''] : [],
    ),
  )

/**
 * Gives each collection names that nothing else in the document has: its own, or with a suffix if one of them is taken.
 */
const nameAll = (stored: readonly StoredCollection[], base: Node): readonly CollectionNames[] => {
  const taken = new Set([...Object.keys(schemasIn(base)), ...operationIdsIn(base)])
  return stored.map(({ collection }) => {
    const { one, many } = namesOf(collection)
    let names = { one, many }
    const isTaken = () => [...schemaNamesOf(names), ...operationIdsOf(names)].some((name) => taken.has(name))
    for (let attempt = 1; isTaken(); attempt++) {
      const suffix = attempt === 1 ? '' : String(attempt)
      names = { one: `${one}Record${suffix}`, many: `${many}Records${suffix}` }
    }
    for (const name of [...schemaNamesOf(names), ...operationIdsOf(names)]) taken.add(name)
    return names
  })
}

const tagsOf = (stored: readonly StoredCollection[], base: Node): readonly unknown[] => {
  const known = listAt(base, 'tags')
  const names = new Set(known.map((tag) => (isNode(tag) ? tag.name : undefined)))
  const added = stored.filter(({ collection }) => !names.has(collection.name))
  return [...known, ...added.map(({ collection: { name, description } }) => ({ name, description }))]
}

/** The text of the whole document, in pieces. */
const assemble = (
  base: Node,
  stored: readonly StoredCollection[],
  fragments: readonly Fragment[],
  shared: Node,
): readonly Piece[] => {
  const { paths: _paths, components: _components, tags: _tags, ...rest } = base
  const { schemas: _schemas, responses, ...others } = nodeAt(base, 'components')
  const components = { ...others, responses: { ...shared, ...(isNode(responses) ? responses : {}) } }
  return [
    `{${membersOf({ ...rest, tags: tagsOf(stored, base) })},"paths":`,
    ...joined(
      nodeAt(base, 'paths'),
      fragments.map(({ paths }) => paths),
    ),
    `,"components":{${membersOf(components)},"schemas":`,
    ...joined(
      schemasIn(base),
      fragments.map(({ schemas }) => schemas),
    ),
    '}}',
  ]
}

/** The schemas of the records of every collection, by its name. */
const titlesOf = (stored: readonly StoredCollection[], names: readonly CollectionNames[]): TitleOf => {
  const titles = new Map<string, string>(COLLECTIONS.map((collection) => [collection.name, titleOf(collection)]))
  for (const [index, { collection }] of stored.entries()) {
    titles.set(collection.name, names[index]?.one ?? titleOf(collection))
  }
  return (name) => titles.get(name)
}

/**
 * The OpenAPI document of a running server. It is created at the first request after a change of definitions, one
 * collection at a time, and only those that have changed are described again.
 */
export const createLiveDocument = ({ base, collections, slices }: Deps): (() => Promise<Content>) => {
  const described = new WeakMap<StoredCollection, Fragment>()
  const responses = createSharedResponses()

  const describe = async (
    stored: StoredCollection,
    names: CollectionNames,
    titles: TitleOf,
    document: Node,
  ): Promise<Fragment> => {
    const { collection } = stored
    const key = [names.one, names.many, ...expandableOf(collection).map(({ target }) => titles(target) ?? '')].join()
    const known = described.get(stored)
    if (known?.key === key) return known
    if (slices.isOver()) await slices.next()
    const components = createComponents(responses)
    const paths = toUtf8(membersOf(collectionPaths(collection, names, titles, components)))
    const schemas = toUtf8(membersOf(withoutKnown(components.schemas(), schemasIn(document))))
    const fragment = { key, paths, schemas }
    described.set(stored, fragment)
    return fragment
  }

  return createLiveContent({
    collections,
    slices,
    async make(stored) {
      const document = await base()
      const names = nameAll(stored, document)
      const titles = titlesOf(stored, names)
      const fragments: Fragment[] = []
      for (const [index, each] of stored.entries()) {
        fragments.push(await describe(each, names[index] ?? namesOf(each.collection), titles, document))
      }
      return assemble(document, stored, fragments, responses.sorted())
    },
  })
}
