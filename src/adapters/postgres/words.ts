import { wordsOf } from '../../domain/words.ts'
import type { Matching } from '../sql/search-source.ts'
import { collectionTerm, lookUpTermOf, ownerTerm, termsOf } from '../sql/terms.ts'

/**
 * Records are grouped in buckets by id, and the bucket is indexed as a word of the record, so that a search within a
 * bucket reads only its records, however many are stored. Small buckets are for frequent words, large ones for rare
 * words.
 */
export const SMALL_BUCKET_BITS = 14
export const LARGE_BUCKET_BITS = 18

const markOf = (bits: number): string => (bits === SMALL_BUCKET_BITS ? '#' : '##')

const quoted = (terms: Iterable<string>): string[] => Array.from(terms, (term) => `'${term}'`)

export interface IndexedText {
  readonly ownerId: number | null
  /** Of a collection defined at run time. */
  readonly collectionId?: number
  readonly text: string
}

/**
 * The words of a record, its owner and its collection, as Postgres writes a `tsvector`. Without the buckets: see
 * {@link bucketsOf}.
 */
export const vectorOf = ({ ownerId, collectionId, text }: IndexedText): string => {
  const terms = new Set([ownerTerm(ownerId)])
  if (collectionId !== undefined) terms.add(collectionTerm(collectionId))
  for (const word of wordsOf(text)) for (const term of termsOf(word)) terms.add(term)
  return quoted(terms).join(' ')
}

/** SQL of a `tsvector` with the buckets of a record. */
export const bucketsOf = (id: string): string =>
  `array_to_tsvector(ARRAY[${[SMALL_BUCKET_BITS, LARGE_BUCKET_BITS]
    .map((bits) => `'${markOf(bits)}' || (${id} >> ${bits})`)
    .join(', ')}])`

export const bucketOf = (id: number, bits: number): number => Math.floor(id / 2 ** bits)

/** A `tsquery`: a bucket, the owner, the collection, and the indexed prefix of every word. */
export const queryOf = (
  words: readonly string[],
  { ownerId, collectionId }: Pick<Matching, 'ownerId' | 'collectionId'>,
  bits: number,
  bucket: number,
): string =>
  quoted([
    `${markOf(bits)}${bucket}`,
    ...(ownerId === null ? [] : [ownerTerm(ownerId)]),
    ...(collectionId === undefined ? [] : [collectionTerm(collectionId)]),
    ...words.map((word) => lookUpTermOf(word).term),
  ]).join(' & ')

export const isExact = (words: readonly string[]): boolean => words.every((word) => lookUpTermOf(word).isExact)
