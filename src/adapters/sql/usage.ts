import { AppError } from '../../domain/errors.ts'

/**
 * What a row counts in addition to its text: its other columns and index entries. Migration 0007 uses the same numbers
 * for existing rows.
 */
const OVERHEAD_BYTES = { event: 128, idempotency: 256, file: 512 } as const

const text = (value: string | null): number => (value === null ? 0 : Buffer.byteLength(value))

/** `data` and `previous` as they are stored. */
export const eventBytes = (data: string, previous: string | null = null): number =>
  OVERHEAD_BYTES.event + text(data) + text(previous)

/** `answer` as it is stored. */
export const idempotencyBytes = (key: string, answer: string): number =>
  OVERHEAD_BYTES.idempotency + text(key) + text(answer)

export const fileBytes = (size: number): number => OVERHEAD_BYTES.file + size

/** The same for an existing row, as SQL for both engines. */
export const BYTES_OF = {
  event: `(${OVERHEAD_BYTES.event} + octet_length(data) + coalesce(octet_length(previous), 0))`,
  idempotency: `(${OVERHEAD_BYTES.idempotency} + octet_length(key) + octet_length(answer))`,
  file: `(${OVERHEAD_BYTES.file} + size)`,
} as const

/** Counts the bytes of a user's rows while a transaction changes them. */
export interface UsageCounter {
  /**
   * Adds bytes, which must be within the quota when the unit ends, or subtracts them. What nobody owns is not counted.
   */
  add(userId: number | null, bytes: number): void
  /** Adds bytes without checking the quota, for the log entry of a deletion. */
  addAlways(userId: number, bytes: number): void
}

export interface UsageChange {
  readonly userId: number
  readonly bytes: number
  /** Whether the quota must be checked. */
  readonly limited: boolean
  /** Whether the user's count has been removed. */
  readonly deleted: boolean
}

export interface UsageChanges extends UsageCounter {
  delete(userId: number): void
  of(userId: number): number
  each(): Iterable<UsageChange>
  /** In ascending order of users, so that rows are always locked in the same order. */
  all(): readonly UsageChange[]
  /** Adds the later counts of another. */
  merge(later: UsageChanges): void
  clear(): void
}

interface Change {
  readonly userId: number
  bytes: number
  limited: boolean
  deleted: boolean
}

export const createUsageChanges = (): UsageChanges => {
  const changes = new Map<number, Change>()
  const put = (userId: number, bytes: number, limited: boolean, deleted: boolean): void => {
    const change = changes.get(userId)
    if (change === undefined) {
      changes.set(userId, { userId, bytes, limited, deleted })
      return
    }
    change.bytes += bytes
    change.limited ||= limited
    change.deleted ||= deleted
  }
  return {
    add: (userId, bytes) => userId !== null && put(userId, bytes, bytes > 0, false),
    addAlways: (userId, bytes) => put(userId, bytes, false, false),
    delete: (userId) => put(userId, 0, false, true),
    of: (userId) => changes.get(userId)?.bytes ?? 0,
    each: () => changes.values(),
    all: () => [...changes.values()].sort((one, other) => one.userId - other.userId),
    merge(later) {
      for (const { userId, bytes, limited, deleted } of later.each()) put(userId, bytes, limited, deleted)
    },
    clear: () => changes.clear(),
  }
}

export const quotaExceeded = (cause?: unknown): AppError =>
  new AppError('quota_exceeded', 'The storage of this account is full', cause === undefined ? {} : { cause })
