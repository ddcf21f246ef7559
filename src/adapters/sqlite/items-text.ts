import type { Item } from '../../domain/item.ts'
import type { Connection } from './database.ts'
import { ownerWord } from './item-rows.ts'
import type { Deferred } from './writer.ts'

type Text = Pick<Item, 'id' | 'ownerId' | 'title' | 'description'>

export interface ItemText extends Deferred {
  put(text: Text): void
  remove(id: number): void
}

/**
 * Keeps the text index in step with the items of a transaction. FTS5 writes what it holds in memory at every savepoint,
 * as a segment that must be merged later: changes wait for the commit. Inside their transaction they are not found yet.
 */
export const createItemText = (connection: Connection): ItemText => {
  const index = connection.prepare<unknown, [number, string, string, string]>(
    'INSERT OR REPLACE INTO items_text (rowid, title, description, owner) VALUES (?, ?, ?, ?)',
  )
  const unindex = connection.prepare<unknown, [number]>('DELETE FROM items_text WHERE rowid = ?')
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
      const latest = new Map(changes.map(({ id, text }) => [id, text]))
      changes = []
      for (const [id, text] of latest) {
        if (text === null) unindex.run(id)
        else index.run(id, text.title, text.description ?? '', ownerWord(text.ownerId))
      }
    },
  }
}
