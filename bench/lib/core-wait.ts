import { existsSync, readFileSync } from 'node:fs'

const NANOSECONDS_PER_SECOND = 1e9

/**
 * Seconds for which the main thread of a process could have run and had no core, because something else had it; NaN where
 * the system does not tell.
 */
export const waitedForCore = (pid: number): number => {
  const path = `/proc/${pid}/schedstat`
  if (!existsSync(path)) return Number.NaN
  return Number(readFileSync(path, 'utf8').split(' ')[1]) / NANOSECONDS_PER_SECOND
}
