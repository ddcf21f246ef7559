import type { Item } from '../../domain/item.ts'
import { type Int8, int } from './connection.ts'

export interface Row {
  id: Int8
  owner_id: Int8
  title: string
  description: string | null
  data: string
  version: number
  epoch: string
  created_at: Int8
  updated_at: Int8
}

/** All but the words, which are for finding. */
export const COLUMNS = 'id, owner_id, title, description, data, version, epoch, created_at, updated_at'

export const fromRow = (row: Row): Item => ({
  id: int(row.id),
  ownerId: int(row.owner_id),
  title: row.title,
  description: row.description,
  data: JSON.parse(row.data),
  version: row.version,
  epoch: row.epoch,
  createdAt: int(row.created_at),
  updatedAt: int(row.updated_at),
})
