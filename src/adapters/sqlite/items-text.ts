import type { Item } from '../../domain/item.ts'
import { wordsOf } from '../../domain/words.ts'
import { ownerTerm, termOf } from '../sql/terms.ts'
import type { Connection } from './database.ts'
import type { Deferred } from './writer.ts'

type Text = Pick<Item, 'id' | 'ownerId' | 'title' | 'description'>

export interface ItemText extends Deferred {
  put(text: Text): void
  remove(id: number): void
}

/** What is indexed within a commit, in characters: some 20 ms. The rest is left to {@link createBacklog}. */
const MAX_COMMIT_CHARACTERS = 16_384
/** What one step of the backlog indexes. */
const MAX_STEP_CHARACTERS = 8_192
const MAX_STEP_COUNT = 100

const lengthOf = ({ title, description }: Text): number => title.length + (description?.length ?? 0)

/** Words that begin alike may give one term twice; the index keeps it once. */
const termsIn = ({ title, description, ownerId }: Text): string => {
  let terms = ownerTerm(ownerId)
  for (const word of wordsOf(`${title}\n${description ?? ''}`)) terms += ` ${termOf(word)}`
  return terms
}

const statementsOf = (connection: Connection) => ({
  index: connection.prepare<unknown, [number, string]>(
    'INSERT OR REPLACE INTO items_words (rowid, words) VALUES (?, ?)',
  ),
  unindex: connection.prepare<unknown, [number]>('DELETE FROM items_words WHERE rowid = ?'),
})

/**
 * Keeps the text index in step with the items of a transaction. FTS5 writes what it holds in memory at every savepoint,
 * as a segment that must be merged later: changes wait for the commit. Inside their transaction they are not found yet.
 * Much text waits for the backlog, and is found a moment later. `onBacklog` is called when there is some.
 */
export const createItemText = (connection: Connection, onBacklog: () => void): ItemText => {
  const { index, unindex } = statementsOf(connection)
  const postpone = connection.prepare<unknown, [number]>('INSERT OR IGNORE INTO items_unindexed (id) VALUES (?)')
  let changes: { readonly id: number; readonly text: Text | null }[] = []
  let marked = 0

  return {
    put(text) {
      changes.push({ id: text.id, text })
    },
    remove(id) {
      changes.push({ id, text: null })
    },
    mark() {
      marked = changes.length
    },
    check() {},
    undo() {
      changes.length = marked
    },
    clear() {
      changes = []
    },
    flush() {
      if (changes.length === 0) return
      const latest = [...new Map(changes.map(({ id, text }) => [id, text]))]
      changes = []
      let characters = 0
      // FTS5 takes rows in the order of their rowid, which is the id negated; any other makes it write a segment each.
      for (const [id, text] of latest.sort(([one], [other]) => other - one)) {
        if (text === null) {
          unindex.run(-id)
          continue
        }
        characters += lengthOf(text)
        if (characters <= MAX_COMMIT_CHARACTERS) index.run(-id, termsIn(text))
        else {
          // Old words must not be found meanwhile.
          unindex.run(-id)
          postpone.run(id)
          onBacklog()
        }
      }
    },
  }
}

interface Unindexed {
  readonly id: number
  readonly owner_id: number | null
  readonly title: string | null
  readonly description: string | null
}

export interface Backlog {
  /** Indexes some of what waits, newest first. False when there was nothing. */
  step(): boolean
}

/** The items that are not in the text index yet: after a migration all of them, else what was much at once. */
export const createBacklog = (connection: Connection): Backlog => {
  const { index } = statementsOf(connection)
  const waiting = connection.prepare<Unindexed, [number]>(
    `SELECT items_unindexed.id, owner_id, title, description
     FROM items_unindexed LEFT JOIN items ON items.id = items_unindexed.id ORDER BY items_unindexed.id DESC LIMIT +?`,
  )
  const done = connection.prepare<unknown, [number]>('DELETE FROM items_unindexed WHERE id = ?')

  return {
    step() {
      const rows: Unindexed[] = []
      let characters = 0
      for (const row of waiting.iterate(MAX_STEP_COUNT)) {
        rows.push(row)
        characters += (row.title?.length ?? 0) + (row.description?.length ?? 0)
        if (characters >= MAX_STEP_CHARACTERS) break
      }
      for (const { id, owner_id, title, description } of rows) {
        done.run(id)
        // One that was deleted meanwhile has no owner.
        if (owner_id !== null) index.run(-id, termsIn({ id, ownerId: owner_id, title: title ?? '', description }))
      }
      return rows.length > 0
    },
  }
}
