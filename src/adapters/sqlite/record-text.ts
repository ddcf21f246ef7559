import { isAscii, wordsOf } from '../../domain/words.ts'
import type { Row } from '../sql/entity.ts'
import { RECORD_TABLES } from '../sql/record-table.ts'
import { textOfRow } from '../sql/stored-records.ts'
import { collectionTerm, MAX_TERM_CODE_POINTS, ownerTerm, termOf } from '../sql/terms.ts'
import type { Connection } from './database.ts'
import type { Definitions } from './definitions.ts'
import type { DeferredWrites } from './writer.ts'

interface Text {
  readonly id: number
  readonly ownerId: number | null
  /** Of a collection defined at run time. */
  readonly collectionId?: number
  /** Of the searched fields. */
  readonly text: string
}

export interface RecordText extends DeferredWrites {
  /** Indexes a record that was never in the index. */
  add(text: Text): void
  put(text: Text): void
  remove(id: number): void
}

interface TextChange {
  readonly id: number
  readonly text: Text | null
  readonly isNew: boolean
}

/** What is indexed within a commit, in characters: some 20 ms. The rest is left to {@link createUnindexedRecords}. */
const MAX_COMMIT_CHARACTERS = 16_384
/** What one step of {@link createUnindexedRecords} indexes. */
const MAX_STEP_CHARACTERS = 8_192
const MAX_STEP_COUNT = 100

/** Runs of these are never part of a term: what follows the last character of a term, and the sign of {@link ownerTerm}. */
const NO_ASCII_TERM = new RegExp(`(?<=[a-z0-9]{${MAX_TERM_CODE_POINTS}})[a-z0-9]+|@`, 'gi')

/** The words of a text as the index takes them. A term that occurs twice is indexed once. */
export const termsIn = ({ text, ownerId, collectionId }: Omit<Text, 'id'>): string => {
  let terms = ownerTerm(ownerId)
  if (collectionId !== undefined) terms += ` ${collectionTerm(collectionId)}`
  // The tokenizer of the index splits and folds ASCII as `wordsOf` does, in a fraction of the time.
  if (isAscii(text)) return `${terms} ${text.replace(NO_ASCII_TERM, ' ')}`
  for (const word of wordsOf(text)) terms += ` ${termOf(word)}`
  return terms
}

const statementsOf = (connection: Connection, name: string) => ({
  index: connection.prepare<unknown, [number, string]>(
    `INSERT OR REPLACE INTO ${name}_words (rowid, words) VALUES (?, ?)`,
  ),
  // Does not look for words to remove.
  indexNew: connection.prepare<unknown, [number, string]>(`INSERT INTO ${name}_words (rowid, words) VALUES (?, ?)`),
  unindex: connection.prepare<unknown, [number]>(`DELETE FROM ${name}_words WHERE rowid = ?`),
})

/**
 * Keeps the text index in step with the records of a transaction. At every savepoint FTS5 writes its memory to a
 * segment that must be merged later, so changes are collected until the commit, and searches inside the transaction do
 * not find them. Large amounts of text are left to {@link createUnindexedRecords} and are found a little later;
 * `onUnindexed` is called for them.
 */
export const createRecordText = (connection: Connection, table: string, onUnindexed: () => void): RecordText => {
  const { index, indexNew, unindex } = statementsOf(connection, table)
  const postpone = connection.prepare<unknown, [number]>(`INSERT OR IGNORE INTO ${table}_unindexed (id) VALUES (?)`)
  let changes: TextChange[] = []
  let marked = 0

  return {
    add(text) {
      changes.push({ id: text.id, text, isNew: true })
    },
    put(text) {
      changes.push({ id: text.id, text, isNew: false })
    },
    remove(id) {
      changes.push({ id, text: null, isNew: false })
    },
    unitBegun() {
      marked = changes.length
    },
    checkUnit() {},
    undoUnit() {
      changes.length = marked
    },
    discard() {
      changes = []
    },
    write() {
      if (changes.length === 0) return
      const latest = new Map<number, TextChange>()
      for (const change of changes) latest.set(change.id, change)
      changes = []
      let characters = 0
      // FTS5 expects rows in the order of their rowid, the negated id; in any other order it writes one segment per
      // row.
      for (const { id, text, isNew } of [...latest.values()].sort((one, other) => other.id - one.id)) {
        if (text === null) {
          unindex.run(-id)
          continue
        }
        characters += text.text.length
        if (characters <= MAX_COMMIT_CHARACTERS) (isNew ? indexNew : index).run(-id, termsIn(text))
        else {
          // The old words must not be found in the meantime.
          unindex.run(-id)
          postpone.run(id)
          onUnindexed()
        }
      }
    },
  }
}

interface UnindexedRow {
  readonly unindexed: number
  readonly [column: string]: unknown
}

/** A table of records with a text index. */
interface TextTable {
  readonly name: string
  /** Null if the record is no longer there. */
  textOf(row: Row): Omit<Text, 'id'> | null
}

const createUnindexedRecordsOf = (connection: Connection, { name, textOf }: TextTable) => {
  const { index } = statementsOf(connection, name)
  const waiting = connection.prepare<UnindexedRow, [number]>(
    `SELECT ${name}_unindexed.id AS unindexed, ${name}.*
     FROM ${name}_unindexed LEFT JOIN ${name} USING (id) ORDER BY unindexed DESC LIMIT +?`,
  )
  const done = connection.prepare<unknown, [number]>(`DELETE FROM ${name}_unindexed WHERE id = ?`)

  return (): boolean => {
    const rows: { readonly id: number; readonly text: Omit<Text, 'id'> | null }[] = []
    let characters = 0
    for (const row of waiting.iterate(MAX_STEP_COUNT)) {
      const text = textOf(row)
      rows.push({ id: row.unindexed, text })
      characters += text?.text.length ?? 0
      if (characters >= MAX_STEP_CHARACTERS) break
    }
    for (const { id, text } of rows) {
      done.run(id)
      if (text !== null) index.run(-id, termsIn(text))
    }
    return rows.length > 0
  }
}

export interface UnindexedRecords {
  /** Indexes some of them, newest first. False if there were none. */
  step(): boolean
}

const searched = RECORD_TABLES.filter(({ collection }) => collection.search.length > 0)

/** The tables with a text index. */
export const TEXT_TABLES: readonly string[] = [...searched.map(({ name }) => name), 'records']

const ownerOf = ({ owner_id }: Row): number | null => (owner_id === null ? null : Number(owner_id))

const textTables = (definitions: Definitions): readonly TextTable[] => [
  ...searched.map(({ name, textOf }) => ({
    name,
    textOf: (row: Row) => (row.version === null ? null : { ownerId: ownerOf(row), text: textOf(row) }),
  })),
  {
    name: 'records',
    textOf(row) {
      const stored = row.collection_id === null ? null : definitions.findById(Number(row.collection_id))
      if (stored === null) return null
      return { ownerId: ownerOf(row), collectionId: stored.id, text: textOfRow(stored, row) }
    },
  },
]

/**
 * The records that are not in their text index yet: after a migration all records, otherwise those of large commits.
 */
export const createUnindexedRecords = (connection: Connection, definitions: Definitions): UnindexedRecords => {
  const steps = textTables(definitions).map((table) => createUnindexedRecordsOf(connection, table))
  return { step: () => steps.some((step) => step()) }
}

/** Whether {@link createUnindexedRecords} has records to index. */
export const hasUnindexedRecords = (connection: Connection): boolean =>
  TEXT_TABLES.some((name) => connection.database.query(`SELECT 1 FROM ${name}_unindexed LIMIT 1`).get() !== null)
