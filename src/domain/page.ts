export const PAGE_SIZE = { minimum: 1, maximum: 100, default: 20 } as const

export interface Sort<Field extends string> {
  readonly field: Field
  readonly descending: boolean
}

/** Where a list goes on: the sort key and id of the last row seen. */
export interface Position {
  readonly key: string | number
  readonly id: number
}

/** By number (with a total) or onwards from a position (at constant cost at any depth). */
export interface PageRequest<Field extends string> {
  readonly size: number
  readonly sort: Sort<Field>
  readonly from: { readonly page: number } | { readonly after: Position }
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Null when read by position. */
  readonly total: number | null
  /** Where the next page starts; null on the last one. */
  readonly next: Position | null
}
