/** How many characters (code points) a text may have, counted as JSON Schema counts them. */
export interface Length {
  readonly minLength?: number
  readonly maxLength: number
}

const MAX_UNITS_PER_CHARACTER = 2

const countCharacters = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/**
 * Whether text has so many characters and UTF-8 can carry it: an unpaired surrogate would be replaced by every store
 * in its own way. Refuses text that is too long by its length alone, before reading it.
 */
export const isText = (text: string, { minLength = 0, maxLength }: Length): boolean => {
  if (text.length < minLength || text.length > maxLength * MAX_UNITS_PER_CHARACTER || !text.isWellFormed()) return false
  if (text.length <= maxLength && text.length >= minLength * MAX_UNITS_PER_CHARACTER) return true
  const count = countCharacters(text)
  return count >= minLength && count <= maxLength
}

/** {@link isText} without NUL, which not every database can store. */
export const isTextWithoutNul = (text: string, length: Length): boolean => isText(text, length) && !text.includes('\0')

/** Line ends, other control characters, and what turns the direction of the text that follows. */
const DISALLOWED_RANGES = '\\u0000-\\u001F\\u007F-\\u009F\\u2028-\\u202E\\u2066-\\u2069'
const DISALLOWED = new RegExp(`[${DISALLOWED_RANGES}]`)

// Beside what Unicode calls ignorable, format or space: BRAILLE PATTERN BLANK and two more signs drawn as nothing.
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800\u{16FE4}\u{1D159}]/u

/** Whether a reader sees anything of the text. */
export const isVisible = (text: string): boolean => VISIBLE.test(text)

/**
 * Whether text can stand for something in a list, a mail header or a terminal: one line, at least one visible
 * character, and nothing that turns the direction of what follows.
 */
export const isLine = (text: string, length: Length): boolean =>
  isText(text, length) && !DISALLOWED.test(text) && isVisible(text)

const INVISIBLE_RANGES =
  '\\s\\u00AD\\u034F\\u0600-\\u0605\\u061C\\u06DD\\u070F\\u0890\\u0891\\u08E2\\u115F\\u1160\\u17B4\\u17B5' +
  '\\u180B-\\u180F\\u200B-\\u200F\\u2060-\\u206F\\u2800\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFFB'

/**
 * {@link isLine} for documents, in what all dialects of regular expressions share. It takes a text of nothing but
 * invisible characters beyond the Basic Multilingual Plane, which {@link isLine} refuses.
 */
export const LINE_PATTERN = `^[^${DISALLOWED_RANGES}]*[^${DISALLOWED_RANGES}${INVISIBLE_RANGES}][^${DISALLOWED_RANGES}]*$`
