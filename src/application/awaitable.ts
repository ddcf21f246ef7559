/** A value, or a promise of it: an embedded database returns most look-ups synchronously. */
export type Awaitable<T> = T | Promise<T>

/** As `Promise.then`, but calls `next` synchronously unless the value is a promise. */
export const andThen = <T, Result>(value: Awaitable<T>, next: (value: T) => Awaitable<Result>): Awaitable<Result> =>
  value instanceof Promise ? value.then(next) : next(value)

/** The values that a predicate accepts. It is asked about one after the other. */
export const filterInTurn = <T extends number | object>(
  values: readonly T[],
  accepts: (value: T) => Awaitable<boolean>,
): Awaitable<readonly T[]> => {
  const accepted: T[] = []
  const filterFrom = (from: number): Awaitable<readonly T[]> => {
    for (let at = from; at < values.length; at++) {
      const value = values[at]
      if (value === undefined) continue
      const isAccepted = accepts(value)
      if (isAccepted instanceof Promise) {
        return isAccepted.then((late) => {
          if (late) accepted.push(value)
          return filterFrom(at + 1)
        })
      }
      if (isAccepted) accepted.push(value)
    }
    return accepted
  }
  return filterFrom(0)
}
