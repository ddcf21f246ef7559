/** A row of `items` as any of the two engines gives it. */
export interface ItemRow {
  readonly id: number | string
  readonly owner_id: number | string
  readonly title: string
  readonly description: string | null
  readonly data: string
  readonly version: number
  readonly created_at: number | string
  readonly updated_at: number | string
}

/** What a floor answers of it. */
export const itemBody = (row: ItemRow) => ({
  id: Number(row.id),
  owner_id: Number(row.owner_id),
  title: row.title,
  description: row.description,
  data: JSON.parse(row.data),
  version: row.version,
  created_at: new Date(Number(row.created_at)).toISOString(),
  updated_at: new Date(Number(row.updated_at)).toISOString(),
})

/** An item as it comes in. */
export interface ItemDraft {
  readonly title: string
  readonly description?: string | null
  readonly data?: object
}

/** How a floor answers a look for an item. */
export const found = (row: ItemRow | null | undefined): Response =>
  row ? Response.json(itemBody(row)) : new Response(null, { status: 404 })

/** How a floor answers that an item was made. */
export const created = (row: ItemRow | null | undefined): Response =>
  row
    ? Response.json(itemBody(row), { status: 201, headers: { location: `/api/v1/items/${row.id}` } })
    : new Response(null, { status: 500 })
