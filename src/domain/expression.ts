import type { JsonObject } from './merge-patch.ts'

/** A point in time, in milliseconds since 1970. */
export interface TimestampValue {
  readonly timestampMs: number
}

/** A span of time, in milliseconds. */
export interface DurationValue {
  readonly durationMs: number
}

/** The result of an expression. Objects are members of a record, in their JSON form. */
export type Value =
  | null
  | boolean
  | number
  | string
  | TimestampValue
  | DurationValue
  | readonly Value[]
  | { readonly members: JsonObject }

/**
 * A checked CEL expression: every name, member and type is known. `record` is the record as stored (for `create`, the new
 * one), `next` the one after an update.
 */
export type Expression =
  | { readonly kind: 'literal'; readonly value: Value }
  | { readonly kind: 'variable'; readonly name: 'auth' | 'now' | 'record' | 'next' }
  /** The element that an enclosing `exists` tests. */
  | { readonly kind: 'element'; readonly name: string }
  /** `time` marks a timestamp, or a list of them: `format: date-time`, `created_at`, `updated_at`. */
  | { readonly kind: 'member'; readonly of: Expression; readonly name: string; readonly time: boolean }
  /** The record of a collection, `users` or `files` whose id `of` yields. Only a `member` or `has` is `of` it. */
  | { readonly kind: 'referenced'; readonly of: Expression; readonly target: string }
  | { readonly kind: 'list'; readonly elements: readonly Expression[] }
  | { readonly kind: 'not' | 'size' | 'timestamp' | 'duration'; readonly of: Expression }
  | { readonly kind: 'has'; readonly of: Expression; readonly name: string }
  | { readonly kind: 'if'; readonly condition: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: BinaryKind; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'exists'; readonly list: Expression; readonly name: string; readonly test: Expression }
  /** Known to fail, once variables have been replaced: `auth.id` of someone who is not signed in. */
  | { readonly kind: 'failure' }

export type BinaryKind =
  | 'and'
  | 'or'
  | 'equal'
  | 'unequal'
  | 'less'
  | 'less_or_equal'
  | 'greater'
  | 'greater_or_equal'
  | 'in'
  | 'starts_with'
  | 'ends_with'
  | 'contains'
  | 'add'
  | 'subtract'

/** The caller that the expression is evaluated for: null if not signed in. */
export interface AuthValue {
  readonly id: number
  readonly role: 'user' | 'admin'
  readonly email: string
  readonly emailVerified: boolean
}

export type Literal = Extract<Expression, { readonly kind: 'literal' }>

export const TRUE: Expression = { kind: 'literal', value: true }
export const FALSE: Expression = { kind: 'literal', value: false }
export const FAILURE: Expression = { kind: 'failure' }
