/** More words of a query are left out: each costs a look-up. */
export const MAX_QUERY_WORDS_COUNT = 8

/** Shorter words of a query match whole words only: a single character begins too many. */
export const MIN_PREFIX_CODE_POINTS = 2

// A zero-width space separates words in scripts that show no spaces; the other invisible characters stand inside words.
const SEPARATOR = /\u200b/g
/** Variation selectors, joiners, soft hyphens, fillers; and marks that draw a frame around another character. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Me}]+/gu
const LATIN_ACCENTS = /(\p{Script=Latin})\p{Mn}+/gu
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*/gu
const ASCII = /^[\0-\x7f]*$/
const ASCII_WORD = /[a-z0-9]+/g

/**
 * One spelling for what people take for the same text: composed or not, in any case, in any width, Latin letters with or
 * without their accents. Marks of other scripts stay, since there they make other letters (й is not и, が is not か).
 */
const fold = (text: string): string =>
  text
    .replace(SEPARATOR, ' ')
    .replace(INVISIBLE, '')
    .normalize('NFKD')
    .replace(LATIN_ACCENTS, '$1')
    // JavaScript has no case folding: upper and then lower case comes to the same for search (ß, ς, ﬁ).
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .normalize('NFKC')

/**
 * The words of a text, folded, each once. A word begins with a letter, a number or a private-use character, and goes on
 * through these and marks. Every engine indexes and compares these words as they are.
 */
export const wordsOf = (text: string): ReadonlySet<string> =>
  new Set(ASCII.test(text) ? text.toLowerCase().match(ASCII_WORD) : fold(text).match(WORD))

export const isPrefix = (word: string): boolean => word.length > 2 || [...word].length >= MIN_PREFIX_CODE_POINTS

/** The words that a match must hold: distinct, none of them implied by another, at most {@link MAX_QUERY_WORDS_COUNT}. */
export const queryWordsOf = (text: string): readonly string[] => {
  const words = [...wordsOf(text)].slice(0, MAX_QUERY_WORDS_COUNT)
  return words.filter(
    (word) => !isPrefix(word) || !words.some((other) => other.length > word.length && other.startsWith(word)),
  )
}

/** Whether one of the words begins with `wanted` or, if that is short, is it. */
const isAmong = (words: ReadonlySet<string>, wanted: string): boolean => {
  if (words.has(wanted)) return true
  if (!isPrefix(wanted)) return false
  for (const word of words) if (word.startsWith(wanted)) return true
  return false
}

const isPartOfWord = (character: string | undefined): boolean => character !== undefined && /[a-z0-9]/.test(character)

/** As {@link isAmong}, for the words of an ASCII text in lower case; far cheaper than taking it apart. */
const isInAscii = (text: string, wanted: string): boolean => {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (!isPartOfWord(text[at - 1]) && (isPrefix(wanted) || !isPartOfWord(text[at + wanted.length]))) return true
  }
  return false
}

/** Whether a text holds every one of {@link queryWordsOf}. */
export const matchesWords = (text: string, query: readonly string[]): boolean => {
  if (ASCII.test(text)) {
    const lower = text.toLowerCase()
    return query.every((wanted) => isInAscii(lower, wanted))
  }
  const words = wordsOf(text)
  return query.every((wanted) => isAmong(words, wanted))
}

/** Of {@link wordsOf} and {@link matchesWords}, in units of about a quarter of a microsecond. */
export const costOfMatching = (text: string): number => (ASCII.test(text) ? text.length / 25 : text.length * 2)
