import type { StoredCollection } from '../../../application/ports/collections.ts'
import type { EventLoopSlices } from '../../../application/ports/system.ts'
import { compressOnce } from '../compression.ts'
import { type Content, contentEtag } from '../static-content.ts'
import { type CollectionNames, collectionPaths, namesOf, operationIdsOf, schemaNamesOf } from './collection.ts'
import { createComponents, createSharedResponses } from './components.ts'
import { isNode, listAt, type Node, nodeAt, textAt } from './node.ts'

interface Deps {
  /** The document of everything that is defined in code. */
  readonly base: () => Promise<Node>
  /** The collections defined at run time: the same objects as before unless they have changed. */
  readonly collections: () => Promise<readonly StoredCollection[]>
  readonly slices: EventLoopSlices
}

/** What one collection adds to the document: members of objects in it, as JSON without the braces. */
interface Fragment {
  readonly names: CollectionNames
  readonly paths: Uint8Array<ArrayBuffer>
  readonly schemas: Uint8Array<ArrayBuffer>
}

const membersOf = (node: Node): string => JSON.stringify(node).slice(1, -1)

const schemasIn = (document: Node): Node => nodeAt(nodeAt(document, 'components'), 'schemas')

const withoutKnown = (schemas: Node, known: Node): Node =>
  Object.fromEntries(Object.entries(schemas).filter(([name]) => !(name in known)))

const utf8 = new TextEncoder()

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

type Piece = string | Uint8Array<ArrayBuffer>

const joined = (own: Node, added: readonly Uint8Array<ArrayBuffer>[]): readonly Piece[] => [
  `{${membersOf(own)}`,
  ...added.flatMap((members): readonly Piece[] => [',', members]),
  '}',
]

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

/**
 * The OpenAPI document of a running server. It is made when it is first asked for after a change of definitions, one
 * collection at a time, and only those that have changed are described again.
 */
export const createLiveDocument = ({ base, collections, slices }: Deps): (() => Promise<Content>) => {
  const described = new WeakMap<StoredCollection, Fragment>()
  const responses = createSharedResponses()
  let latest: { readonly key: string; readonly content: Promise<Content> } | null = null

  const describe = async (stored: StoredCollection, names: CollectionNames, document: Node): Promise<Fragment> => {
    const known = described.get(stored)
    if (known !== undefined && known.names.one === names.one && known.names.many === names.many) return known
    if (slices.isOver()) await slices.next()
    const components = createComponents(responses)
    const paths = utf8.encode(membersOf(collectionPaths(stored.collection, names, components)))
    const schemas = utf8.encode(membersOf(withoutKnown(components.schemas(), schemasIn(document))))
    const fragment = { names, paths, schemas }
    described.set(stored, fragment)
    return fragment
  }

  const make = async (stored: readonly StoredCollection[]): Promise<Content> => {
    const document = await base()
    const names = nameAll(stored, document)
    const fragments: Fragment[] = []
    for (const [index, each] of stored.entries()) {
      fragments.push(await describe(each, names[index] ?? namesOf(each.collection), document))
    }
    await slices.next()
    const whole = new Blob([...assemble(document, stored, fragments, responses.sorted())])
    const bytes = await whole.bytes()
    const gzipped = await compressOnce(bytes)
    return {
      // Shared by all responses, so that memory does not grow with slow readers.
      body: () => whole,
      type: 'application/json',
      etag: contentEtag(bytes),
      ...(gzipped === null ? {} : { gzipped }),
    }
  }

  return async () => {
    const stored = await collections()
    const key = stored
      .map(({ id, collection, version, epoch }) => `${id} ${collection.name} ${version} ${epoch}`)
      .join('\n')
    if (latest?.key === key) return latest.content
    const made = { key, content: make(stored) }
    latest = made
    made.content.catch(() => {
      if (latest === made) latest = null
    })
    return made.content
  }
}
