/** Calls `make` at the first call, and returns the same value at each: for what most starts of the program do not need. */
export const onFirstUse = <T extends object>(make: () => T): (() => T) => {
  let made: T | null = null
  return () => {
    made ??= make()
    return made
  }
}
