import type { BlobStore, StoredBlob } from './blobs.ts'

/** What every engine gives back as it got it. Integers are safe ones. */
export type Value = string | number | boolean | Uint8Array | null

/** By column, in the order of the columns, which is the same for every engine. */
export type Row = Readonly<Record<string, Value>>

/** Of each table that gives out ids, the highest it ever gave; of `events`, the newest cursor there ever was. */
export type HighestIds = ReadonlyMap<string, number>

/** Every row of every table. What it answers is one state, however long the reading takes. */
export interface RowReader {
  count(table: string): Promise<number>
  /** In the order of the primary key, in pieces that fit into memory. */
  rows(table: string): AsyncIterable<readonly Row[]>
  highestIds(): Promise<HighestIds>
}

export interface RowSource extends RowReader {
  /** In an order in which every row comes after those it refers to. */
  readonly tables: readonly string[]
  /** Whether it is unchanged since it was opened. */
  isUnchanged(): boolean
}

/** The transaction that fills a database. */
export interface RowLoader extends RowReader {
  insert(table: string, rows: readonly Row[]): Promise<void>
  /** Whatever is inserted later gets a higher id. */
  setHighestIds(highest: HighestIds): Promise<void>
}

/** A database to be filled with the rows of another. */
export interface RowTarget {
  /** Describes, for operators, a value of the row that it cannot store unchanged; null when there is none. */
  findUnsupportedValue(table: string, row: Row): string | null
  /** Makes the tables, unless they are there. */
  prepare(): Promise<void>
  /** Does not block other connections. */
  read<T>(work: (reader: RowReader) => Promise<T>): Promise<T>
  /**
   * One transaction in which nobody else writes: when it resolves everything is there and would survive a crash, when it
   * rejects, or the process ends before, nothing is. Rejects when others do not let go of the tables.
   */
  load<T>(work: (loader: RowLoader) => Promise<T>): Promise<T>
}

/** A blob store whose bytes can move to another of its kind, under the keys they have. */
export interface MovableBlobs extends BlobStore {
  /** Bytes under this key; null when there are none. */
  size(key: string): Promise<number | null>
  /**
   * As `write`, but under a key that another store made. What was there before is replaced when all is written, and stays
   * when `body` throws. Throws for a key that no store makes.
   */
  put(key: string, body: AsyncIterable<Uint8Array>): Promise<StoredBlob>
}

export interface Digest {
  update(bytes: Uint8Array | string): void
  /** Lower-case hexadecimal. No `update` may follow. */
  end(): string
}

export type OpenSha256 = () => Digest
