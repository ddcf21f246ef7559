/** The types of one collection, as `skep types` writes them. */
export interface CollectionTypes {
  readonly record: object
  readonly create: object
  readonly update: object
}

/** What every record has. */
export interface SystemFields {
  readonly id: number
  readonly owner_id: number | null
  readonly version: number
  readonly created_at: string
  readonly updated_at: string
}

export type AnyRecord = SystemFields & { readonly [field: string]: unknown }

/** The types of collections without the declarations that `skep types` writes. */
export interface AnyCollections {
  readonly [name: string]: {
    readonly record: AnyRecord
    readonly create: { readonly [field: string]: unknown }
    readonly update: { readonly [field: string]: unknown }
  }
}

/** A map from the names of collections to their types; an interface has no index signature. */
export type CollectionMap<C> = { readonly [Name in keyof C]: CollectionTypes }

export type NameOf<C> = keyof C & string

/** A page of a list. Read on with `next_cursor`: a page may have fewer records than asked for, even none, and have one. */
export interface Page<T> {
  readonly items: readonly T[]
  /** Null if it was not asked for, or is above 10,000. */
  readonly total: number | null
  readonly total_at_least?: number
  readonly page: number | null
  readonly size: number
  readonly pages: number | null
  readonly next_cursor: string | null
}

/** Options of calls that are made once, even if they are repeated. */
export interface OnceOptions extends CallOptions {
  /** Your own `Idempotency-Key`, to make the same call again later: for changes that wait for the network. */
  readonly idempotencyKey?: string
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call, which rejects with the code `aborted`. */
  readonly signal?: AbortSignal
}

type FieldOf<Entity> = { [Key in keyof Entity]: string extends Key ? string : Key }[keyof Entity] & string

/** A field to sort by; `-` before it for descending order. */
export type SortOf<Entity> = FieldOf<Entity> | `-${FieldOf<Entity>}`

export interface ListOptions<Entity> extends CallOptions {
  /** An expression over the fields of a record. Write it with `filter`, which quotes values. */
  readonly filter?: string
  /** `id`, `created_at`, `updated_at` or the first field of an index. Newest first without it. */
  readonly sort?: SortOf<Entity>
  /** Words to search for. */
  readonly q?: string
  /** References to add as `expanded`. */
  readonly expand?: string | readonly string[]
  /** Records of one page, up to 100. */
  readonly size?: number
}

export interface PageOptions<Entity> extends ListOptions<Entity> {
  readonly page?: number
  readonly cursor?: string
  /** False leaves the count out. */
  readonly total?: boolean
}

interface Operation<Name extends string, Op extends string> {
  readonly collection: Name
  readonly op: Op
}

interface Target {
  readonly id: number
  /** Refuses the batch with `version_mismatch` if the record has another. */
  readonly version?: number
}

/** One change of a batch. */
export type BatchOperation<C extends CollectionMap<C>> = {
  [Name in NameOf<C>]:
    | (Operation<Name, 'create'> & C[Name]['create'])
    | (Operation<Name, 'update'> & Target & C[Name]['update'])
    | (Operation<Name, 'delete'> & Target)
}[NameOf<C>]

/** The results of a batch: the record of each operation, null for a delete. */
export type BatchResults<C extends CollectionMap<C>, Operations extends readonly BatchOperation<C>[]> = {
  -readonly [Index in keyof Operations]: Operations[Index] extends { readonly op: 'delete' }
    ? null
    : Operations[Index] extends { readonly collection: infer Name extends NameOf<C> }
      ? C[Name]['record']
      : never
}
