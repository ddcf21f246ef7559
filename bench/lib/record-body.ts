/** A row of a collection defined at run time. */
export interface RecordRow {
  readonly id: number
  readonly owner_id: number | null
  readonly version: number
  readonly created_at: number
  readonly updated_at: number
  readonly data: string
}

/** As REST shows it. */
export const recordBody = (row: RecordRow) => ({
  id: row.id,
  owner_id: row.owner_id,
  ...JSON.parse(row.data),
  version: row.version,
  created_at: new Date(row.created_at).toISOString(),
  updated_at: new Date(row.updated_at).toISOString(),
})
