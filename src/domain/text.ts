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
 * Whether text has an allowed number of characters and is valid in UTF-8, because each store replaces unpaired
 * surrogates differently. Checks the length first, so that text that is too long costs nothing.
 */
export const isText = (text: string, { minLength = 0, maxLength }: Length): boolean => {
  if (text.length < minLength || text.length > maxLength * MAX_UNITS_PER_CHARACTER || !text.isWellFormed()) return false
  if (text.length <= maxLength && text.length >= minLength * MAX_UNITS_PER_CHARACTER) return true
  const count = countCharacters(text)
  return count >= minLength && count <= maxLength
}

/** {@link isText} without NUL, which not every database can store. */
export const isTextWithoutNul = (text: string, length: Length): boolean => isText(text, length) && !text.includes('\0')

/** Line ends, other control characters, and characters that change the direction of the following text. */
const DISALLOWED_RANGES = '\\u0000-\\u001F\\u007F-\\u009F\\u2028-\\u202E\\u2066-\\u2069'
const DISALLOWED = new RegExp(`[${DISALLOWED_RANGES}]`)

// Characters that Unicode classifies as ignorable, format or space, and BRAILLE PATTERN BLANK and two more that are
// drawn as nothing.
const VISIBLE = /[^\s\p{Default_Ignorable_Code_Point}\p{Cc}\p{Cf}\u2800\u{16FE4}\u{1D159}]/u

/** Whether the text has a visible character. */
export const isVisible = (text: string): boolean => VISIBLE.test(text)

/**
 * Whether text is safe as a label in a list, a mail header or a terminal: one line, at least one visible character, and
 * nothing that changes the direction of the following text.
 */
export const isLine = (text: string, length: Length): boolean =>
  isText(text, length) && !DISALLOWED.test(text) && isVisible(text)

const INVISIBLE_RANGES =
  '\\s\\u00AD\\u034F\\u0600-\\u0605\\u061C\\u06DD\\u070F\\u0890\\u0891\\u08E2\\u115F\\u1160\\u17B4\\u17B5' +
  '\\u180B-\\u180F\\u200B-\\u200F\\u2060-\\u206F\\u2800\\u3164\\uFE00-\\uFE0F\\uFEFF\\uFFA0\\uFFF0-\\uFFFB'

/**
 * {@link isLine} as a pattern for documents, in syntax that all regular expression dialects share. Unlike {@link
 * isLine}, it accepts text that consists only of invisible characters beyond the Basic Multilingual Plane.
 */
export const LINE_PATTERN = `^[^${DISALLOWED_RANGES}]*[^${DISALLOWED_RANGES}${INVISIBLE_RANGES}][^${DISALLOWED_RANGES}]*$`
