import type { HighestIds, Row, Value } from './ports/transfer.ts'

/** The version of the layout of archives. An archive of a later version is refused. */
export const ARCHIVE_VERSION = 1

/** The names of entries, in the order in which an archive has them. */
export const ENTRY = {
  format: 'format.json',
  secret: 'secret.json',
  /** Followed by the name of the table and the number of the piece. */
  tables: 'tables/',
  /** Followed by the key of the bytes. */
  files: 'files/',
  /** Follows the bytes of a file if they do not match its row, or replaces them if they are missing. */
  faulty: 'faulty/',
  manifest: 'manifest.json',
} as const

/** The metadata that must precede the rows. */
export interface ArchiveFacts {
  readonly format: 'skep-backup'
  readonly version: number
  /** The version of the program that made it. */
  readonly program: string
  /** RFC 3339. */
  readonly created_at: string
  /** The migrations of the database, in order. */
  readonly schema: readonly string[]
}

/** The metadata that is known once everything else is written. Without it an archive is incomplete. */
export interface Manifest {
  /** By table: the number of its rows, and the SHA-256 of their lines. */
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly sha256: string }>>
  readonly files: {
    readonly count: number
    readonly bytes: number
    /** How many had missing or damaged bytes when the archive was made. */
    readonly faulty: number
    /** Of the key, size and SHA-256 of each, as its row has them. */
    readonly sha256: string
  }
  readonly highest_ids: Readonly<Record<string, number>>
}

export const highestIdsOf = ({ highest_ids }: Manifest): HighestIds => new Map(Object.entries(highest_ids))

/** The bytes of a file, as its row describes them. */
export interface ArchivedFile {
  readonly key: string
  readonly size: number
  readonly sha256: string
}

export const archivedFileOf = ({ blob_key, size, sha256 }: Row): ArchivedFile => ({
  key: String(blob_key),
  size: Number(size),
  sha256: String(sha256),
})

/** The input of the digest of all files. */
export const lineOf = ({ key, size, sha256 }: ArchivedFile): string => `${key} ${size} ${sha256}\n`

const toJson = (value: Value) => (value instanceof Uint8Array ? { bytes: value.toHex() } : value)

/** A row as a line of JSON, with its values in the order of the columns. */
export const encodeRow = (row: Row): string => `${JSON.stringify(Object.values(row).map(toJson))}\n`

const fromJson = (value: unknown): Value => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || value === null) {
    return value
  }
  if (typeof value === 'object' && value !== null && 'bytes' in value && typeof value.bytes === 'string') {
    return Uint8Array.fromHex(value.bytes)
  }
  throw new Error('a value of a row has an unknown form')
}

/** The row of a line. Throws if it has another number of values than there are columns, or a value of an unknown form. */
export const decodeRow = (line: string, columns: readonly string[]): Row => {
  const values: unknown = JSON.parse(line)
  if (!Array.isArray(values) || values.length !== columns.length) throw new Error('a row has other columns')
  return Object.fromEntries(columns.map((column, at) => [column, fromJson(values[at])]))
}
