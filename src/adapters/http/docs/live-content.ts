import type { StoredCollection } from '../../../application/ports/collections.ts'
import type { EventLoopSlices } from '../../../application/ports/system.ts'
import { compressOnce } from '../compression.ts'
import { type Content, contentEtag } from '../static-content.ts'
import type { Node } from './node.ts'

export type Bytes = Uint8Array<ArrayBuffer>

/** A part of the text of a document. */
export type Piece = string | Bytes

const utf8 = new TextEncoder()

export const toUtf8 = (text: string): Bytes => utf8.encode(text)

/** The members of an object as JSON, without the braces. */
export const membersOf = (node: Node): string => JSON.stringify(node).slice(1, -1)

/** An object that has the members of `own`, which is not empty, and those that are added as JSON. */
export const joined = (own: Node, added: readonly Bytes[]): readonly Piece[] => [
  `{${membersOf(own)}`,
  ...added.flatMap((members): readonly Piece[] => [',', members]),
  '}',
]

interface Deps {
  /** The collections defined at run time: the same objects as before unless they have changed. */
  readonly collections: () => Promise<readonly StoredCollection[]>
  readonly slices: EventLoopSlices
  /** The text of the document of these collections, made in turns of the event loop. */
  readonly make: (stored: readonly StoredCollection[]) => Promise<readonly Piece[]>
}

/** A JSON document that depends on the collections: created at the first request after a change of definitions. */
export const createLiveContent = ({ collections, slices, make }: Deps): (() => Promise<Content>) => {
  let latest: { readonly key: string; readonly content: Promise<Content> } | null = null

  const contentOf = async (stored: readonly StoredCollection[]): Promise<Content> => {
    const pieces = await make(stored)
    await slices.next()
    const whole = new Blob([...pieces])
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
    const made = { key, content: contentOf(stored) }
    latest = made
    made.content.catch(() => {
      if (latest === made) latest = null
    })
    return made.content
  }
}
