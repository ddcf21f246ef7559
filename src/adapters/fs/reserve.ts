import { statfs } from 'node:fs/promises'
import type { Log, Reserve } from '../../application/ports/system.ts'

/** Free space reserved for admins, for signing in and for freeing space. */
const RESERVE_BYTES = 256 * 1_048_576
/** The same on a small disk. */
const RESERVE_RATIO = 0.1
const SAMPLE_MS = 1_000

export interface DiskReserve extends Reserve {
  stop(): void
}

const isLow = async (folder: string): Promise<boolean> => {
  const { blocks, bavail, bsize } = await statfs(folder)
  // A file system that reports no size is assumed to have space.
  return blocks > 0 && bavail * bsize < Math.min(RESERVE_BYTES, blocks * bsize * RESERVE_RATIO)
}

/** Checks the disks of these folders once a second, outside of requests. */
export const watchReserve = async (folders: readonly string[], log: Log): Promise<DiskReserve> => {
  let reached = false
  let sampling = false
  const sample = async (): Promise<void> => {
    if (sampling) return
    sampling = true
    try {
      const before = reached
      reached = (await Promise.all(folders.map(isLow))).includes(true)
      if (reached && !before) log.warn('the storage is nearly full: writes of users are refused', { folders })
      if (before && !reached) log.info('the storage has enough space again')
    } catch (error) {
      log.warn('the free space cannot be read', { error })
    } finally {
      sampling = false
    }
  }
  await sample()
  const timer = setInterval(sample, SAMPLE_MS)
  timer.unref()
  return { isReached: () => reached, stop: () => clearInterval(timer) }
}

/** For commands that serve no requests. */
export const NO_RESERVE: Reserve = { isReached: () => false }
