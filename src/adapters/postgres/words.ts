import { wordsOf } from '../../domain/words.ts'
import { lookUpTermOf, ownerTerm, termsOf } from '../sql/terms.ts'

/**
 * Records are grouped in buckets by id, and the bucket is indexed as a word of the record, so that a search within a
 * bucket reads only its records, however many are stored. Small buckets are for frequent words, large ones for rare
 * words.
 */
export const SMALL_BUCKET_BITS = 14
export const LARGE_BUCKET_BITS = 18

const markOf = (bits: number): string => (bits === SMALL_BUCKET_BITS ? '#' : '##')

const quoted = (terms: Iterable<string>): string[] => Array.from(terms, (term) => `'${term}'`)

/** The words of a record and its owner, as Postgres writes a `tsvector`. Without the buckets: see {@link bucketsOf}. */
export const vectorOf = ({ ownerId, text }: { readonly ownerId: number | null; readonly text: string }): string => {
  const terms = new Set([ownerTerm(ownerId)])
  for (const word of wordsOf(text)) for (const term of termsOf(word)) terms.add(term)
  return quoted(terms).join(' ')
}

/** SQL of a `tsvector` with the buckets of a record. */
export const bucketsOf = (id: string): string =>
  `array_to_tsvector(ARRAY[${[SMALL_BUCKET_BITS, LARGE_BUCKET_BITS]
    .map((bits) => `'${markOf(bits)}' || (${id} >> ${bits})`)
    .join(', ')}])`

export const bucketOf = (id: number, bits: number): number => Math.floor(id / 2 ** bits)

/** A `tsquery`: a bucket, the owner, and the indexed prefix of every word. */
export const queryOf = (words: readonly string[], ownerId: number | null, bits: number, bucket: number): string =>
  quoted([
    `${markOf(bits)}${bucket}`,
    ...(ownerId === null ? [] : [ownerTerm(ownerId)]),
    ...words.map((word) => lookUpTermOf(word).term),
  ]).join(' & ')

export const isExact = (words: readonly string[]): boolean => words.every((word) => lookUpTermOf(word).isExact)
