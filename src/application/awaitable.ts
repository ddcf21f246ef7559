/** A value, or a promise of it where it takes a while: an embedded database answers most look-ups at once. */
export type Awaitable<T> = T | Promise<T>

/** Goes on at once where there is nothing to wait for. */
export const whenKnown = <T, Result>(value: Awaitable<T>, next: (value: T) => Awaitable<Result>): Awaitable<Result> =>
  value instanceof Promise ? value.then(next) : next(value)
