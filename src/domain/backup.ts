import type { Instant } from './user.ts'

export const BACKUP_STATES = ['running', 'done', 'failed'] as const
export type BackupState = (typeof BACKUP_STATES)[number]

/** One archive of the whole installation, or the attempt to write one. */
export interface Backup {
  readonly id: number
  readonly state: BackupState
  /** The name of the archive in the archive store; null if it was written elsewhere, or not at all. */
  readonly name: string | null
  /** Bytes; null until it is written. */
  readonly size: number | null
  /** Of the archive, in lower-case hexadecimal; null until it is written. */
  readonly sha256: string | null
  readonly encrypted: boolean
  /** Why it failed, or what the last verification found. */
  readonly detail: string | null
  readonly createdAt: Instant
  readonly finishedAt: Instant | null
  /** The last verification that found no fault. */
  readonly verifiedAt: Instant | null
  /** While it is running and this is in the future, no bytes of files are removed. */
  readonly leaseUntil: Instant
}

export type NewBackup = Omit<Backup, 'id'>

/** Renewed while a backup runs, so an expired lease means that its process is gone. */
export const BACKUP_LEASE_MS = 60_000

/** Lifetimes that a link to an archive may have. It gives access to everything, so it is short. */
export const BACKUP_LINK_LIFE_SECONDS = { minimum: 1, maximum: 3_600 } as const

const pad = (value: number) => String(value).padStart(2, '0')

/** The name of an archive that is begun at `now`. */
export const archiveNameOf = (id: number, now: Instant, encrypted: boolean): string => {
  const time = new Date(now)
  const day = `${time.getUTCFullYear()}${pad(time.getUTCMonth() + 1)}${pad(time.getUTCDate())}`
  const clock = `${pad(time.getUTCHours())}${pad(time.getUTCMinutes())}${pad(time.getUTCSeconds())}`
  return `skep-${day}T${clock}Z-${id}.tar.zst${encrypted ? '.age' : ''}`
}

const ARCHIVE_NAME = /^skep-\d{8}T\d{6}Z-\d{1,15}\.tar\.zst(?:\.age)?$/

/** Whether a text is a name as {@link archiveNameOf} returns it, and so safe as part of a path. */
export const isArchiveName = (name: string): boolean => ARCHIVE_NAME.test(name)
