/**
 * Stands for dependencies where routes are only described, never run: it can be taken apart and passed on, and throws
 * as soon as any part of it is called.
 */
export const unusable = <T>(): T => {
  const nothing = () => {
    throw new Error('described routes cannot be run')
  }
  const stand: unknown = new Proxy(nothing, { get: () => stand })
  // No type can say "anything until it is used".
  return stand as T
}
