/** Further words of a query are ignored, because each costs a look-up. */
export const MAX_QUERY_WORDS_COUNT = 8

/** Shorter words of a query match only whole words: too many words begin with a given single character. */
const MIN_PREFIX_CODE_POINTS = 2

// A zero-width space separates words in scripts without visible spaces; the other invisible characters occur inside
// words.
const SEPARATOR = /\u200b/g
/** Variation selectors, joiners, soft hyphens, fillers; and marks that draw a frame around another character. */
const INVISIBLE = /[\p{Default_Ignorable_Code_Point}\p{Me}]+/gu
const LATIN_ACCENTS = /(\p{Script=Latin})\p{Mn}+/gu
const WORD = /[\p{L}\p{N}\p{Co}][\p{L}\p{N}\p{M}\p{Co}]*/gu
const ASCII = /^[\0-\x7f]*$/

/** Whether words of the text are its runs of letters and digits, in lower case. */
export const isAscii = (text: string): boolean => ASCII.test(text)

const ASCII_WORD = /[a-z0-9]+/g

/**
 * Folds text that people consider equal to one spelling: Unicode composition, case, width and accents of Latin letters
 * are removed. Marks of other scripts are kept, because there they form different letters (й is not и, が is not か).
 */
const fold = (text: string): string =>
  text
    .replace(SEPARATOR, ' ')
    .replace(INVISIBLE, '')
    .normalize('NFKD')
    .replace(LATIN_ACCENTS, '$1')
    // JavaScript has no case folding: converting to upper and then to lower case has the same effect for search (ß, ς,
    // ﬁ), except for the capital ẞ, whose lower case is ß.
    .replaceAll('ẞ', 'ss')
    .toUpperCase()
    .toLowerCase()
    .replaceAll('ς', 'σ')
    .normalize('NFKC')

/**
 * The distinct folded words of a text. A word begins with a letter, a number or a private-use character, and continues
 * with these and marks. Every engine indexes and compares these words as they are.
 */
export const wordsOf = (text: string): ReadonlySet<string> =>
  new Set(isAscii(text) ? text.toLowerCase().match(ASCII_WORD) : fold(text).match(WORD))

export const matchesPrefixes = (word: string): boolean =>
  word.length >= 2 * MIN_PREFIX_CODE_POINTS || [...word].length >= MIN_PREFIX_CODE_POINTS

/** The words that a match must contain: distinct, none implied by another, at most {@link MAX_QUERY_WORDS_COUNT}. */
export const queryWordsOf = (text: string): readonly string[] => {
  const words = [...wordsOf(text)].slice(0, MAX_QUERY_WORDS_COUNT)
  return words.filter(
    (word) => !matchesPrefixes(word) || !words.some((other) => other.length > word.length && other.startsWith(word)),
  )
}

/** Whether one of the words begins with `wanted` or, if that is short, equals it. */
const isAmong = (words: ReadonlySet<string>, wanted: string): boolean => {
  if (words.has(wanted)) return true
  if (!matchesPrefixes(wanted)) return false
  for (const word of words) if (word.startsWith(wanted)) return true
  return false
}

const isPartOfWord = (character: string | undefined): boolean => character !== undefined && /[a-z0-9]/.test(character)

/** As {@link isAmong}, for the words of a lower-case ASCII text; much cheaper than splitting it into words. */
const isInAscii = (text: string, wanted: string): boolean => {
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + 1)) {
    if (!isPartOfWord(text[at - 1]) && (matchesPrefixes(wanted) || !isPartOfWord(text[at + wanted.length]))) return true
  }
  return false
}

/** Whether a text contains all of {@link queryWordsOf}. */
export const matchesWords = (text: string, query: readonly string[]): boolean => {
  if (isAscii(text)) {
    const lower = text.toLowerCase()
    return query.every((wanted) => isInAscii(lower, wanted))
  }
  const words = wordsOf(text)
  return query.every((wanted) => isAmong(words, wanted))
}

/** The cost of {@link wordsOf} and {@link matchesWords}, in units of about 0.25 µs. */
export const costOfMatching = (text: string): number => (isAscii(text) ? text.length / 25 : text.length * 2)
