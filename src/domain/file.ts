import type { JsonObject } from './merge-patch.ts'
import { isVisible } from './text.ts'
import type { Instant } from './user.ts'

/** An uploaded file. Its bytes never change. */
export interface StoredFile {
  readonly id: number
  readonly ownerId: number
  /** The uploader's name for it: for display, never part of a path on the server's disk. */
  readonly filename: string
  /** Detected from the content. */
  readonly contentType: string
  /** Bytes. */
  readonly size: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** Key of its bytes in the blob store. */
  readonly blobKey: string
  readonly createdAt: Instant
}

export type NewFile = Omit<StoredFile, 'id'>

/** What expressions may know of a file. */
export const describedFile = ({
  id,
  ownerId,
  filename,
  contentType,
  size,
  createdAt,
}: Omit<StoredFile, 'sha256' | 'blobKey'>): JsonObject => ({ id, ownerId, filename, contentType, size, createdAt })

/**
 * Gives anyone who has it access to one file, until it expires, is revoked, or its creator loses the right to the file.
 */
export interface FileLink {
  readonly id: number
  readonly fileId: number
  /** Of the file. */
  readonly ownerId: number
  readonly creatorId: number
  readonly expiresAt: Instant
  readonly createdAt: Instant
}

export type NewFileLink = Omit<FileLink, 'id'>

export const MAX_FILENAME_LENGTH = 255

/** Concurrent uploads of one user in one process. Limited because each may keep two parts of a file in memory. */
export const MAX_OPEN_UPLOADS_COUNT = 16

/** Limits how long it takes to end all links of a user, and how much they store. */
export const MAX_LINKS_PER_CREATOR_COUNT = 10_000

export const LINK_LIFE_SECONDS = { minimum: 1, maximum: 7 * 24 * 3_600 } as const

/** How long bytes without a row are kept, because their row may be about to be committed. */
export const ORPHAN_AGE_MS = 24 * 3_600_000

const PATH = /^.*[/\\]/s
// Control characters, and characters that change the text direction: `photo<U+202E>gnp.exe` would read as
// `photoexe.png`.
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/**
 * A name that is safe to store and show: no path, no invisible characters, up to 255 characters; `file` if nothing is
 * left.
 */
export const cleanFilename = (given: string): string => {
  const name = given.toWellFormed().replace(PATH, '').replace(INVISIBLE, '').trim()
  const short = [...name.slice(0, MAX_FILENAME_LENGTH)]
    .filter((character) => character.isWellFormed())
    .join('')
    .trim()
  return /^\.*$/.test(short) || !isVisible(short) ? 'file' : short
}

/** Whether content of this type may be stored. */
export const isAccepted = (contentType: string, accepted: '*/*' | readonly string[]): boolean => {
  if (accepted === '*/*') return true
  // Without parameters, as in `audio/ogg; codecs=opus`.
  const [type = ''] = contentType.split(';')
  return accepted.includes(type) || accepted.includes(type.replace(/\/.*$/, '/*'))
}

const BINARY = 'application/octet-stream'

/** The type of content whose first bytes (`head`) have no known signature. */
export const typeWithoutSignature = (head: Uint8Array): string => {
  if (head.includes(0)) return BINARY
  try {
    // The last character may be incomplete.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return 'text/plain'
  } catch {
    return BINARY
  }
}
