/**
 * A placeholder for dependencies of routes that are only described, never run: it can be destructured and passed on,
 * and throws when any part of it is called.
 */
export const unusable = <T>(): T => {
  const nothing = () => {
    throw new Error('described routes cannot be run')
  }
  const stand: unknown = new Proxy(nothing, { get: () => stand })
  // TypeScript has no type for "anything until it is used".
  return stand as T
}
