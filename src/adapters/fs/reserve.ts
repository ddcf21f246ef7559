import { statfs } from 'node:fs/promises'
import type { DiskSpace } from '../../application/ports/metrics.ts'
import type { Log, Reserve } from '../../application/ports/system.ts'

/** Free space reserved for admins, for signing in and for freeing space. */
const RESERVE_BYTES = 256 * 1_048_576
/** The same on a small disk. */
const RESERVE_RATIO = 0.1
const SAMPLE_MS = 1_000

export interface DiskReserve extends Reserve {
  /** The disk with the least free space, as last sampled; null if no disk reports a size. */
  fullest(): DiskSpace | null
  stop(): void
}

const spaceOf = async (folder: string): Promise<DiskSpace> => {
  const { blocks, bavail, bsize } = await statfs(folder)
  return { free: bavail * bsize, size: blocks * bsize }
}

// A file system that reports no size is assumed to have space.
const isLow = ({ free, size }: DiskSpace): boolean => size > 0 && free < Math.min(RESERVE_BYTES, size * RESERVE_RATIO)

const fullestOf = (disks: readonly DiskSpace[]): DiskSpace | null =>
  disks.filter(({ size }) => size > 0).toSorted((one, other) => one.free - other.free)[0] ?? null

/** Checks the disks of these folders once a second, outside of requests. */
export const watchReserve = async (folders: readonly string[], log: Log): Promise<DiskReserve> => {
  let reached = false
  let fullest: DiskSpace | null = null
  let sampling = false
  const sample = async (): Promise<void> => {
    if (sampling) return
    sampling = true
    try {
      const before = reached
      const disks = await Promise.all(folders.map(spaceOf))
      reached = disks.some(isLow)
      fullest = fullestOf(disks)
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
  return { isReached: () => reached, fullest: () => fullest, stop: () => clearInterval(timer) }
}

/** For commands that serve no requests. */
export const NO_RESERVE: Reserve = { isReached: () => false }
