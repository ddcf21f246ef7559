import type { Item } from '../../domain/item.ts'

/** Longer words are told apart by their beginnings alone: a lexeme of Postgres has room for 2046 bytes. */
const LONGEST_WORD = 255

/** Latin letters without their accents, all in lower case, as the embedded database's index has them. */
const folded = (text: string): string =>
  text
    .normalize('NFD')
    .replace(/(\p{Script=Latin})[\u0300-\u036f]+/gu, '$1')
    .normalize('NFC')
    .toLowerCase()
    .replaceAll('ς', 'σ')

export const wordsOf = (text: string): readonly string[] => [
  ...new Set((folded(text).match(/[\p{L}\p{N}\p{M}\p{Co}]+/gu) ?? []).map((word) => word.slice(0, LONGEST_WORD))),
]

/** An owner as a word that no text holds. */
const ownerWord = (ownerId: number): string => `@${ownerId}`

/** The words of an item as Postgres writes a `tsvector`. */
export const vectorOf = ({ title, description, ownerId }: Pick<Item, 'title' | 'description' | 'ownerId'>): string =>
  [ownerWord(ownerId), ...wordsOf(`${title} ${description ?? ''}`)].map((word) => `'${word}'`).join(' ')

/** A `tsquery`: every word as a prefix, and the owner. Null when there is no word. */
export const queryOf = (text: string, ownerId: number | null): string | null => {
  const words = wordsOf(text)
  if (words.length === 0) return null
  const owner = ownerId === null ? [] : [`'${ownerWord(ownerId)}'`]
  return [...owner, ...words.map((word) => `'${word}':*`)].join(' & ')
}
