import { platform, type SkepStorage } from './platform.ts'

/**
 * Keeps a session until the program ends.
 *
 * @example
 * ```ts
 * const other = createClient({ url, storage: memoryStorage() })
 * ```
 */
export const memoryStorage = (): SkepStorage => {
  const values = new Map<string, string>()
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, value),
    removeItem: (key) => values.delete(key),
  }
}

/** `localStorage` where there is one, so that all tabs share a session; else memory. */
export const defaultStorage = (): SkepStorage => {
  try {
    return platform.localStorage ?? memoryStorage()
  } catch {
    // Forbidden by the settings of a browser.
    return memoryStorage()
  }
}
