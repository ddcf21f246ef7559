import { isPrefix } from '../../domain/words.ts'

/**
 * Beginnings of words under which a text index finds them, in code points: each is one list of ids, so that no query
 * has to merge the lists of all words that begin alike. The last is all that is kept of a word.
 */
export const PREFIX_CODE_POINTS = [2, 3, 4, 6] as const
export const MAX_TERM_CODE_POINTS = 8

const beginning = (word: string, codePoints: number): string => {
  if (word.length <= codePoints) return word
  let end = 0
  for (let n = 0; n < codePoints && end < word.length; n++) end += (word.codePointAt(end) ?? 0) > 0xffff ? 2 : 1
  return word.slice(0, end)
}

/** A word as it is kept. */
export const termOf = (word: string): string => beginning(word, MAX_TERM_CODE_POINTS)

/** Everything under which a word is found. */
export const termsOf = (word: string): readonly string[] =>
  isPrefix(word)
    ? [...PREFIX_CODE_POINTS, MAX_TERM_CODE_POINTS].map((codePoints) => beginning(word, codePoints))
    : [word]

/** The list in which a word of a query is looked up. */
export interface LookUpTerm {
  readonly term: string
  /** Whether the term is the beginning of a word, not all that is kept of it. */
  readonly isPrefix: boolean
  /** Whether the list holds matches only; otherwise the records must be asked. */
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

/** An owner as a term that no word is. */
export const ownerTerm = (ownerId: number): string => `@${ownerId}`
