import { matchesPrefixes } from '../../domain/words.ts'

/**
 * Prefix lengths under which a text index lists words, in code points: each prefix has one list of ids, so that no
 * query merges the lists of all words with that prefix. Words are indexed up to the last length.
 */
export const PREFIX_CODE_POINTS = [2, 3, 4, 6] as const
export const MAX_TERM_CODE_POINTS = 8

const beginning = (word: string, codePoints: number): string => {
  if (word.length <= codePoints) return word
  let end = 0
  for (let n = 0; n < codePoints && end < word.length; n++) end += (word.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
  return word.slice(0, end)
}

/** A word as it is indexed. */
export const termOf = (word: string): string => beginning(word, MAX_TERM_CODE_POINTS)

/** All terms of a word. */
export const termsOf = (word: string): readonly string[] =>
  matchesPrefixes(word)
    ? [...PREFIX_CODE_POINTS, MAX_TERM_CODE_POINTS].map((codePoints) => beginning(word, codePoints))
    : [word]

/** The list in which a word of a query is looked up. */
export interface LookUpTerm {
  readonly term: string
  /** Whether the term is a prefix, not the whole indexed word. */
  readonly isPrefix: boolean
  /** Whether the list contains only matches; if not, the records must be checked. */
  readonly isExact: boolean
}

export const lookUpTermOf = (word: string): LookUpTerm => {
  const length = [...beginning(word, MAX_TERM_CODE_POINTS + 1)].length
  if (length >= MAX_TERM_CODE_POINTS) {
    return { term: termOf(word), isPrefix: false, isExact: length === MAX_TERM_CODE_POINTS }
  }
  const codePoints = PREFIX_CODE_POINTS.findLast((each) => each <= length)
  if (codePoints === undefined) return { term: word, isPrefix: false, isExact: true }
  return { term: beginning(word, codePoints), isPrefix: true, isExact: codePoints === length }
}

/** An owner as a term that cannot be a word. Records without an owner share one. */
export const ownerTerm = (ownerId: number | null): string => `@${ownerId ?? 0}`

/** A collection defined at run time as a term that cannot be a word. */
export const collectionTerm = (collectionId: number): string => `@c${collectionId}`
