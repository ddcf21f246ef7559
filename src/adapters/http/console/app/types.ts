export type { Fault, StoredFile, User } from '../../../../../client/src/index.ts'

export interface Page<T> {
  readonly items: readonly T[]
  readonly total: number | null
  readonly total_at_least?: number
  readonly next_cursor: string | null
}

/** The JSON Schema of a field. */
export interface FieldSchema {
  readonly type?: string | readonly string[]
  readonly format?: string
  readonly title?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly default?: unknown
  readonly maxLength?: number
  readonly items?: FieldSchema
  readonly 'x-ref'?: string
}

/** A field of the records of a collection. */
export interface FieldOf {
  readonly name: string
  readonly schema: FieldSchema
  readonly required: boolean
}

export interface ObjectSchema {
  readonly type: 'object'
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, FieldSchema>>
}

export interface Index {
  readonly fields: readonly string[]
  readonly unique?: boolean
}

export const RULES = ['read', 'create', 'update', 'delete'] as const

export interface Definition {
  readonly name: string
  readonly singular: string
  readonly schema: ObjectSchema
  readonly indexes: readonly Index[]
  readonly search: readonly string[]
  readonly rules: Readonly<Record<string, string | null>>
  readonly owner: 'delete' | 'keep'
  readonly built_in: boolean
  readonly records: number
  readonly version: number
  readonly updated_at: string | null
}

/** A record: its own fields beside those that every record has. */
export interface RecordBody {
  readonly id: number
  readonly owner_id: number | null
  readonly version: number
  readonly created_at: string
  readonly updated_at: string
  readonly [field: string]: unknown
}

export interface Job {
  readonly id: number
  readonly kind: string
  readonly state: 'queued' | 'running' | 'done' | 'dead'
  readonly attempts: number
  readonly run_at: string
  readonly last_error: string | null
  readonly created_at: string
}

export interface Session {
  readonly id: number
  readonly device: string
  readonly address: string
  readonly created_at: string
  readonly last_used_at: string
  readonly current: boolean
}

/** What a reference may lead to. */
export interface Choice {
  readonly id: number
  readonly label: string
  readonly hint: string
}

/** What a search has found so far. */
export interface Choices {
  readonly choices: readonly Choice[]
  /** Where it goes on; null at its end. */
  readonly next: string | null
}
