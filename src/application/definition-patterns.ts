import { MAX_PATTERN_STEPS_PER_CHARACTER } from '../domain/definition-schema.ts'
import type { Json, JsonObject } from '../domain/merge-patch.ts'
import type { CompilePattern } from './ports/collections.ts'
import type { EventLoopSlices } from './ports/system.ts'

/** Results of compiling patterns, by the patterns. */
export type CompiledPatterns = ReadonlyMap<string, ReturnType<CompilePattern>>

const patternsIn = function* (value: Json): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    if (name === 'pattern' && typeof member === 'string') yield member
    else yield* patternsIn(member)
  }
}

/**
 * Compiles the patterns of a definition in turns of the event loop: inside a transaction, nobody else would have a turn.
 * Leaves out those for which the definition is refused because of the ones before.
 */
export const createPatternCompiling =
  (compilePattern: CompilePattern, slices: EventLoopSlices) =>
  async ({ schema = null }: JsonObject): Promise<CompiledPatterns> => {
    const compiled = new Map<string, ReturnType<CompilePattern>>()
    let stepsPerCharacter = 0
    for (const source of patternsIn(schema)) {
      if (compiled.has(source)) continue
      if (stepsPerCharacter > MAX_PATTERN_STEPS_PER_CHARACTER) break
      if (slices.isOver()) await slices.next()
      const result = compilePattern(source)
      stepsPerCharacter += result.stepsPerCharacter
      compiled.set(source, result)
    }
    return compiled
  }
