/** A value, or a promise of it: an embedded database returns most look-ups synchronously. */
export type Awaitable<T> = T | Promise<T>

/** As `Promise.then`, but calls `next` synchronously unless the value is a promise. */
export const andThen = <T, Result>(value: Awaitable<T>, next: (value: T) => Awaitable<Result>): Awaitable<Result> =>
  value instanceof Promise ? value.then(next) : next(value)
