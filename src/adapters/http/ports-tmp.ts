import type { IdempotencyRequest, IdempotentResult } from '../../application/idempotency.ts'
import type { RecordStorage, StoredCollection } from '../../application/ports/collections.ts'
import type { Expected } from '../../application/records.ts'
import type { Collection } from '../../domain/collection.ts'
import type { Fault } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Actor, Principal } from '../../domain/session.ts'

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
  put(
    actor: Actor,
    name: string,
    change: {
      definition: JsonObject
      transform: readonly JsonObject[] | null
      expected: Expected
      mustBeNew: boolean
    },
  ): Promise<{ described: Described; created: boolean }>
  remove(actor: Actor, name: string, condition: { expected: Expected; records: number | null }): Promise<void>
  all(): Promise<readonly StoredCollection[]>
}
export type Caller = (Principal & { readonly requestId: string }) | null
export interface Shown {
  readonly collection: Collection
  readonly record: StoredRecord
  readonly expanded?: JsonObject
}
export interface ListRequest extends PageRequest<string> {
  readonly ownerId: number | null
  readonly text: string | null
  readonly createdAfter: number | null
  readonly createdBefore: number | null
  readonly filter: string | null
  readonly expand: readonly string[]
}
export type AnyOperation = { readonly collection: string } & (
  | { readonly op: 'create'; readonly draft: JsonObject }
  | { readonly op: 'update'; readonly id: number; readonly patch: JsonObject; readonly expected: Expected }
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }
)
export interface ImportLine {
  readonly line: number
  readonly draft: JsonObject | null
  readonly fault?: Fault
}
export interface ImportReport {
  readonly created: number
  readonly refused: number
  readonly lines: readonly { readonly line: number; readonly code: string; readonly faults: readonly Fault[] }[]
}
export interface AnyRecords {
  find(name: string): Promise<Collection | null>
  create(
    caller: Caller,
    name: string,
    draft: JsonObject,
    idempotency: IdempotencyRequest<Shown> | null,
  ): Promise<IdempotentResult<Shown>>
  get(caller: Caller, name: string, id: number, expand: readonly string[]): Promise<Shown>
  list(caller: Caller, name: string, request: ListRequest): Promise<Page<Shown>>
  update(caller: Caller, name: string, id: number, patch: JsonObject, expected: Expected): Promise<Shown>
  remove(caller: Caller, name: string, id: number, expected: Expected): Promise<void>
  batch(
    caller: Caller,
    operations: readonly AnyOperation[],
    idempotency: IdempotencyRequest<readonly (Shown | null)[]> | null,
  ): Promise<IdempotentResult<readonly (Shown | null)[]>>
  export(actor: Actor, name: string): AsyncIterable<readonly Shown[]>
  import(actor: Actor, name: string, lines: AsyncIterable<ImportLine>, dryRun: boolean): Promise<ImportReport>
}
export type S = RecordStorage
