/** The result of one pass over a JSON text before it is parsed. */
export interface JsonOutline {
  /** Depth of nested arrays and objects. */
  readonly depth: number
  /** An upper bound of the number of values, because parsing costs time for each, whatever its length. */
  readonly values: number
  /** Whether a number in it is so long, or has an exponent, that a double may not represent it exactly. */
  readonly hasLongNumber: boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Whether an odd number of backslashes stands before `at`. */
const isEscaped = (json: string, at: number): boolean => {
  let first = at
  while (json.charCodeAt(first - 1) === BACKSLASH) first--
  return (at - first) % 2 === 1
}

/** The index of the quote that ends the string beginning at `start`; the length of the text when none does. */
const stringEnd = (json: string, start: number): number => {
  let at = json.indexOf('"', start + 1)
  while (at !== -1 && isEscaped(json, at)) at = json.indexOf('"', at + 1)
  return at === -1 ? json.length : at
}

const isDigit = (unit: number) => unit >= 0x30 && unit <= 0x39

/** Whether a character continues a number: digits, and `+ - . E e`. */
const isNumberPart = (unit: number) =>
  isDigit(unit) || unit === 0x2b || unit === 0x2d || unit === 0x2e || unit === 0x45 || unit === 0x65

const numberEnd = (json: string, start: number): number => {
  let at = start + 1
  while (isNumberPart(json.charCodeAt(at))) at++
  return at
}

/** A double represents every integer with fewer digits exactly. */
const MAX_SAFE_DIGITS = 15

const hasExponent = (json: string, start: number, end: number): boolean => {
  for (let at = start; at < end; at++) if ((json.charCodeAt(at) | 0x20) === 0x65) return true
  return false
}

/**
 * Works on any text, in time linear in its length, and stops when a limit is exceeded. The result is meaningless for
 * text that is not JSON.
 */
export const outlineJson = (json: string, maxDepth: number, maxValues: number): JsonOutline => {
  let depth = 0
  let deepest = 0
  let values = 1
  let hasLongNumber = false
  for (let at = 0; at < json.length && depth <= maxDepth && values <= maxValues; at++) {
    const unit = json.charCodeAt(at)
    if (unit === QUOTE) at = stringEnd(json, at)
    else if (unit === 0x2c) values++
    else if (unit === 0x5b || unit === 0x7b) {
      values++
      depth++
      if (depth > deepest) deepest = depth
    } else if (unit === 0x5d || unit === 0x7d) depth--
    else if (isDigit(unit)) {
      const end = numberEnd(json, at)
      hasLongNumber ||= end - at > MAX_SAFE_DIGITS || hasExponent(json, at, end)
      at = end - 1
    }
  }
  return { depth: deepest, values, hasLongNumber }
}

/** `0.DIGITS × 10^exponent`, without a sign; DIGITS neither begins nor ends with 0. */
interface Decimal {
  readonly digits: string
  readonly exponent: number
}

const NUMBER = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i

const decimalOf = (number: string): Decimal => {
  const [, whole = '', fraction = '', exponent = '0'] = NUMBER.exec(number) ?? []
  const all = whole + fraction
  let first = 0
  while (all.charCodeAt(first) === 0x30) first++
  let end = all.length
  while (end > first && all.charCodeAt(end - 1) === 0x30) end--
  return { digits: all.slice(first, end), exponent: whole.length - first + Number(exponent) }
}

/**
 * Whether a JSON number has the same value after it is parsed and written again. Digits of a fraction beyond a double's
 * precision are rounded, as usual. An integer must stay the same, and so must the integer part of a number so large that
 * a double has no fraction left; nothing may become zero or infinite.
 */
const isExactNumber = (number: string): boolean => {
  const value = Number(number)
  if (!Number.isFinite(value)) return false
  if (value === 0) return !/^[-0.]*[1-9]/.test(number)
  // Up to here a double represents every integer exactly, so only fractions were rounded.
  if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return true
  const sent = decimalOf(number)
  const kept = decimalOf(String(value))
  const integerPart = sent.digits.slice(0, sent.exponent).replace(/0+$/, '')
  return kept.digits === integerPart && kept.exponent === sent.exponent
}

/** The state of a scan of valid JSON within one array or object. */
interface Level {
  readonly isArray: boolean
  index: number
  /** The JSON text of the current member's name. */
  name: string
}

const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

const pointerOf = (levels: readonly Level[]): string =>
  levels.map(({ isArray, index, name }) => `/${isArray ? index : escaped(String(JSON.parse(name)))}`).join('')

/** The checks of a scan: each returns whether there is a fault at the current place. */
interface Search {
  /** The text of a number. */
  readonly isFaultyNumber?: (number: string) => boolean
  /** The name of a member, and how many arrays and objects it is in. */
  readonly isFaultyMember?: (name: string, depth: number) => boolean
  /** Called for each array or object that begins. */
  readonly begins?: (depth: number) => void
}

/** JSON Pointers to the first `most` faults in a valid JSON text. */
const faultsIn = (
  json: string,
  most: number,
  { isFaultyNumber, isFaultyMember, begins }: Search,
): readonly string[] => {
  const found: string[] = []
  const levels: Level[] = []
  let text = ''
  for (let at = 0; at < json.length && found.length < most; at++) {
    const unit = json.charCodeAt(at)
    const level = levels.at(-1)
    if (unit === QUOTE) {
      const end = stringEnd(json, at)
      text = json.slice(at, end + 1)
      at = end
    } else if (unit === 0x3a && level !== undefined) {
      level.name = text
      if (isFaultyMember?.(JSON.parse(text), levels.length)) found.push(pointerOf(levels))
    } else if (unit === 0x2c && level !== undefined) level.index++
    else if (unit === 0x5b || unit === 0x7b) {
      levels.push({ isArray: unit === 0x5b, index: 0, name: '""' })
      begins?.(levels.length)
    } else if (unit === 0x5d || unit === 0x7d) levels.pop()
    else if (unit === 0x2d || isDigit(unit)) {
      const end = numberEnd(json, at)
      if (isFaultyNumber?.(json.slice(at, end))) found.push(pointerOf(levels))
      at = end - 1
    }
  }
  return found
}

/** JSON Pointers to the first `most` numbers of a valid JSON text that are not {@link isExactNumber}. */
export const inexactNumbers = (json: string, most: number): readonly string[] =>
  faultsIn(json, most, { isFaultyNumber: (number) => !isExactNumber(number) })

/** The fault of each of {@link repeatedMembers}. */
export const REPEATED_MEMBER = 'Another member of this object has the same name'

/** JSON Pointers to the first `most` members in a valid JSON text that repeat the name of an earlier one in the same object. */
export const repeatedMembers = (json: string, most: number): readonly string[] => {
  const namesAt = new Map<number, Set<string>>()
  return faultsIn(json, most, {
    begins: (depth) => void namesAt.set(depth, new Set()),
    isFaultyMember(name, depth) {
      const names = namesAt.get(depth)
      if (names?.has(name)) return true
      names?.add(name)
      return false
    },
  })
}
