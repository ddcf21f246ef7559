/** A regular expression that has been compiled. */
export interface Pattern {
  /** Whether it matches somewhere in the text, in time linear in its length. */
  matches(text: string): boolean
  /** An upper bound of the steps of {@link matches} for each character. */
  readonly stepsPerCharacter: number
}

/** A regular expression that cannot be used. */
export interface RefusedPattern {
  readonly reason: string
  /** The cost of refusing it: compiling a pattern with this many {@link Pattern.stepsPerCharacter} takes about as long. */
  readonly stepsPerCharacter: number
}

/** Compiles a regular expression, or returns why it cannot be used. */
export type CompilePattern = (source: string) => Pattern | RefusedPattern
