const MILLISECONDS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { b: 1, kb: 1_024, mb: 1_048_576, gb: 1_073_741_824 } as const

/** A hundred years, so that adding a duration to a date gives a valid date. */
const MAX_DURATION_MS = 36_500 * MILLISECONDS.d

const measure = (text: string, units: Readonly<Record<string, number>>, most: number): number | null => {
  const match = /^(\d{1,9})([a-z]{1,2})$/.exec(text)
  const factor = match?.[2] === undefined ? undefined : units[match[2]]
  if (match === null || factor === undefined) return null
  const value = Number(match[1]) * factor
  return value > 0 && value <= most ? value : null
}

/** `30s`, `15m`, `12h` or `30d` in milliseconds; null for anything else, zero and more than `36500d` included. */
export const parseDuration = (text: string): number | null => measure(text, MILLISECONDS, MAX_DURATION_MS)

/** `512b`, `16kb`, `10mb` or `1gb` in bytes (1 kb is 1024); null for anything else, zero included. */
export const parseSize = (text: string): number | null => measure(text, BYTES, Number.MAX_SAFE_INTEGER)

/** A number of requests per number of milliseconds. */
export interface Rate {
  readonly limit: number
  readonly windowMs: number
}

/** `600/1m` as a rate, `off` as `'off'`; null for anything else. */
export const parseRate = (text: string): Rate | 'off' | null => {
  if (text === 'off') return 'off'
  const match = /^(\d{1,9})\/(.+)$/.exec(text)
  if (match?.[1] === undefined || match[2] === undefined) return null
  const limit = Number(match[1])
  const windowMs = parseDuration(match[2])
  return limit > 0 && windowMs !== null ? { limit, windowMs } : null
}
