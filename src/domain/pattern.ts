/** A regular expression that has been compiled. */
export interface Pattern {
  /** Whether it matches somewhere in the text, in time linear in its length. */
  matches(text: string): boolean
  /** An upper bound of the steps of {@link matches} for each character. */
  readonly stepsPerCharacter: number
}

/** Compiles a regular expression, or returns why it cannot be used. */
export type CompilePattern = (source: string) => Pattern | { readonly reason: string }
