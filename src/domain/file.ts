import { isVisible } from './text.ts'
import type { Instant } from './user.ts'

/** What someone uploaded. Its bytes never change. */
export interface StoredFile {
  readonly id: number
  readonly ownerId: number
  /** As the uploader called it: for people, never part of a path on our disk. */
  readonly filename: string
  /** Detected from the content. */
  readonly contentType: string
  /** Bytes. */
  readonly size: number
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** Names its bytes in the blob store. */
  readonly blobKey: string
  readonly createdAt: Instant
}

export type NewFile = Omit<StoredFile, 'id'>

/** Gives its bearer access to one file until it expires, is deleted, or its maker loses the right to the file. */
export interface FileLink {
  readonly id: number
  readonly fileId: number
  /** Of the file. */
  readonly ownerId: number
  readonly makerId: number
  readonly expiresAt: Instant
  readonly createdAt: Instant
}

export type NewFileLink = Omit<FileLink, 'id'>

export const MAX_FILENAME_LENGTH = 255

/** Uploads that one user may have in progress in one process. Each may have two parts of a file in memory. */
export const MAX_OPEN_UPLOADS_COUNT = 16

/** So that ending all that someone made takes a moment, and what they keep is bounded. */
export const MAX_LINKS_PER_MAKER_COUNT = 10_000

/** Seconds. */
export const LINK_LIFE_SECONDS = { minimum: 1, maximum: 7 * 24 * 3_600 } as const

/** How long bytes that no row names are left alone, for their row may be about to be committed. */
export const ORPHAN_AGE_MS = 24 * 3_600_000

const PATH = /^.*[/\\]/s
// Besides control characters, what turns the direction of text: `photo<U+202E>gnp.exe` would read as `photoexe.png`.
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu

/** A name fit to be stored and shown: no path, nothing unseen, up to 255 characters; `file` when nothing is left. */
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

/** What content is whose first bytes (`head`) have no signature. */
export const typeWithoutSignature = (head: Uint8Array): string => {
  if (head.includes(0)) return BINARY
  try {
    // The last character may be cut.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return 'text/plain'
  } catch {
    return BINARY
  }
}
