import type { Collection } from '../../domain/collection.ts'
import type { Fault } from '../../domain/errors.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Actor, Principal } from '../../domain/session.ts'
import type { IdempotencyRequest, IdempotentResult } from '../../application/idempotency.ts'
import type { Expected } from '../../application/records.ts'
import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordQuery } from '../../application/ports/persistence.ts'

export interface Described {
  readonly collection: Collection
  readonly definition: JsonObject
  readonly records: number
  readonly version: number
  readonly epoch: string
  readonly createdAt: number
  readonly updatedAt: number
}
export interface Catalog {
  list(actor: Principal, request: PageRequest<'name'>): Promise<Page<Described>>
  get(actor: Principal, name: string): Promise<Described>
  put(actor: Actor, name: string, change: { definition: JsonObject; transform: readonly JsonObject[] | null; expected: Expected; mustBeNew: boolean }): Promise<{ described: Described; created: boolean }>
  remove(actor: Actor, name: string, condition: { expected: Expected; records: number | null }): Promise<void>
  named(name: string): Promise<Collection | null>
  all(): Promise<readonly StoredCollection[]>
}
export type Caller = Actor | null
export interface Shown { readonly record: StoredRecord; readonly expanded?: JsonObject }
export type AnyOperation = { readonly collection: string } & (
  | { readonly op: 'create'; readonly draft: JsonObject }
  | { readonly op: 'update'; readonly id: number; readonly patch: JsonObject; readonly expected: Expected }
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected })
export interface ImportLine { readonly number: number; readonly record?: JsonObject; readonly faults?: readonly Fault[] }
export interface ImportReport { readonly created: number; readonly refused: number; readonly faults: readonly { line: number; code: string; faults: readonly Fault[] }[] }
export interface AnyRecords {
  create(caller: Caller, name: string, draft: JsonObject, idempotency: IdempotencyRequest<StoredRecord> | null): Promise<IdempotentResult<StoredRecord>>
  get(caller: Principal | null, name: string, id: number): Promise<StoredRecord>
}
export type X = Json
