import type { StoredCollection } from '../../../application/ports/collections.ts'
import type { EventLoopSlices } from '../../../application/ports/system.ts'
import { type Collection, titleOf } from '../../../domain/collection.ts'
import type { Content } from '../static-content.ts'
import { recordSchemaOf } from './fields.ts'
import { type Bytes, createLiveContent, joined, membersOf, toUtf8 } from './live-content.ts'
import { type Node, nodeAt } from './node.ts'

/** How the protocol of the socket is described. */
export interface SocketDescription {
  /** The AsyncAPI document, as plain data, without the messages of these collections. Created once the server listens. */
  document(collections: readonly Collection[]): Node
  /** The messages with the events of a collection, by their names. `record` is the schema of its records. */
  events(collection: Collection, record: Node): Node
}

interface Deps {
  readonly describe: SocketDescription
  /** The collections defined at run time: the same objects as before unless they have changed. */
  readonly collections: () => Promise<readonly StoredCollection[]>
  readonly slices: EventLoopSlices
}

/** The AsyncAPI document of a running server; only the collections that have changed are described again. */
export const createLiveSocketDocument = ({ describe, collections, slices }: Deps): (() => Promise<Content>) => {
  const described = new WeakMap<StoredCollection, Bytes>()

  const messagesOf = async (stored: StoredCollection): Promise<Bytes> => {
    const known = described.get(stored)
    if (known !== undefined) return known
    if (slices.isOver()) await slices.next()
    const { collection } = stored
    const messages = toUtf8(membersOf(describe.events(collection, recordSchemaOf(collection, titleOf(collection)))))
    described.set(stored, messages)
    return messages
  }

  return createLiveContent({
    collections,
    slices,
    async make(stored) {
      const added: Bytes[] = []
      for (const each of stored) added.push(await messagesOf(each))
      const document = describe.document(stored.map(({ collection }) => collection))
      const { components: _components, ...rest } = document
      const { messages: _messages, ...others } = nodeAt(document, 'components')
      return [
        `{${membersOf(rest)},"components":{${membersOf(others)},"messages":`,
        ...joined(nodeAt(nodeAt(document, 'components'), 'messages'), added),
        '}}',
      ]
    },
  })
}
