import type { CompilePattern } from '../../application/ports/collections.ts'
import { hasUnicodeClass, sizeOfPattern } from './pattern-size.ts'

/** Loaded for the first pattern, because it would make every start longer. */
const engine = () => require('re2js') as typeof import('re2js')

const MAX_PATTERN_LENGTH = 500
/** Keeps the time to compile a pattern to a few milliseconds. */
const MAX_PATTERN_SIZE = 500
/** Parsing this many characters of a pattern takes about as long as compiling one of its steps. */
const CHARACTERS_PER_STEP = 10
/**
 * What one pattern may remember of the states that texts have led it to. Making a state costs far more than finding it
 * again, and a text can lead to a new one with each character, so that fewer states bound the time too.
 */
const MAX_STATES_BYTES = 262_144
/** A state has an entry for each range of characters that a pattern distinguishes, and Unicode has hundreds. */
const MAX_UNICODE_STATES_BYTES = 1_048_576
const MAX_CACHED_PATTERNS_COUNT = 200

type Automaton = (text: string) => boolean

const automatonOf = (source: string): Automaton => {
  const maxBytes = hasUnicodeClass(source) ? MAX_UNICODE_STATES_BYTES : MAX_STATES_BYTES
  const { RE2Set } = engine()
  const set = new RE2Set(RE2Set.UNANCHORED, 0, maxBytes)
  set.add(source)
  return (text) => set.match(text).length > 0
}

/** By pattern in the syntax of RE2, in the order of their last use. */
const automatons = new Map<string, Automaton>()

const automatonFor = (source: string): Automaton => {
  const automaton = automatons.get(source) ?? automatonOf(source)
  automatons.delete(source)
  if (automatons.size >= MAX_CACHED_PATTERNS_COUNT) {
    const [oldest] = automatons.keys()
    if (oldest !== undefined) automatons.delete(oldest)
  }
  automatons.set(source, automaton)
  return automaton
}

/** What is wrong with the syntax, without the pattern itself. */
const reasonOf = (error: unknown): string => {
  const message = error instanceof Error ? error.message : ''
  return message.replace(/^.*?(?:error parsing regexp|Invalid regular expression): /, '').replace(/: `.*$/s, '')
}

/** Why this is not a regular expression as JSON Schema defines it, or null. Only compiles it. */
const syntaxFault = (source: string): string | null => {
  try {
    new RegExp(source, 'u')
    return null
  } catch (error) {
    return `Expected a regular expression of ECMAScript: ${reasonOf(error)}`
  }
}

/**
 * Patterns run in RE2, which takes linear time for every pattern that it accepts. Their syntax is what ECMAScript (with
 * the flag `u`) and RE2 share. As in RE2, `\s` matches only white space in ASCII, and `.` everything but a line feed.
 */
export const compilePattern: CompilePattern = (source) => {
  const refused = (reason: string, stepsPerCharacter = Math.ceil(source.length / CHARACTERS_PER_STEP)) => ({
    reason,
    stepsPerCharacter,
  })
  if (source.length > MAX_PATTERN_LENGTH) return refused(`Expected at most ${MAX_PATTERN_LENGTH} characters`, 1)
  const fault = syntaxFault(source)
  if (fault !== null) return refused(fault)
  const size = sizeOfPattern(source)
  if (size > MAX_PATTERN_SIZE) return refused('This pattern is too large; repetitions count as often as they repeat')
  try {
    const { RE2JS } = engine()
    const translated = RE2JS.translateRegExp(source)
    const stepsPerCharacter = Math.max(size, RE2JS.compile(translated).programSize())
    return { stepsPerCharacter, matches: (text) => automatonFor(translated)(text) }
  } catch (error) {
    return refused(`This pattern cannot run in linear time: ${reasonOf(error)}`, size)
  }
}
