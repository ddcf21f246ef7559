import type { Item } from '../../domain/item.ts'

export interface ItemRow {
  id: number
  owner_id: number
  title: string
  description: string | null
  data: string
  version: number
  epoch: string
  created_at: number
  updated_at: number
}

export const fromItemRow = (row: ItemRow): Item => ({
  id: row.id,
  ownerId: row.owner_id,
  title: row.title,
  description: row.description,
  data: JSON.parse(row.data),
  version: row.version,
  epoch: row.epoch,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})
