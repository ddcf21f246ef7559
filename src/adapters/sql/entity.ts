import type { Json } from '../../domain/merge-patch.ts'
import type { ColumnType } from './column-types.ts'

/** A row as an engine returns it: Postgres returns `bigint` as text and bytes as a Buffer, SQLite booleans as 0 or 1. */
export type Row = Readonly<Record<string, unknown>>

/** A value as both engines accept it. */
export type Stored = string | number | boolean | Uint8Array | null

/** How a property is stored: `json` as text, and `assigned` as the id that the engine assigns to a new row. */
export type PropertyType = ColumnType | 'json' | 'assigned'

type TypeOf<Value> = [Value] extends [number | null]
  ? 'integer' | 'number'
  : [Value] extends [string | null]
    ? 'text'
    : [Value] extends [boolean | null]
      ? 'boolean'
      : [Value] extends [Uint8Array | null]
        ? 'bytes'
        : 'json'

/** Names exactly the properties of `T`. Those that `New` lacks are assigned by the engine. */
type PropertyTypes<T, New> = {
  readonly [Property in keyof T]-?: Property extends keyof New ? TypeOf<T[Property]> : 'assigned'
}

/** What reading rows needs. */
export interface Readable<T> {
  readonly name: string
  fromRow(row: Row): T
}

/** A table as both engines define it. */
export interface Table {
  /** By name, in the order in which rows are compared. */
  readonly columns: Readonly<Record<string, ColumnType>>
  /** The primary key, which orders rows in the same way on every engine. */
  readonly key: readonly string[]
}

/** How values of `T` are stored in a table. `New` is a value that is not stored yet. */
export interface Entity<T, New = T> extends Readable<T>, Table {
  /** The columns that an INSERT sets, in the order of {@link Entity.valuesOf}. */
  readonly inserted: readonly string[]
  valuesOf(value: New): readonly Stored[]
}

export const columnTypeOf = (type: PropertyType): ColumnType => {
  if (type === 'json') return 'text'
  return type === 'assigned' ? 'integer' : type
}

const toStored = (value: unknown): Stored => {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array) return value
  throw new TypeError('a value that is not JSON is an object')
}

const jsonToStored = (value: unknown): Stored => (value === null || value === undefined ? null : JSON.stringify(value))

/** Converts values of a type to what is stored. */
export const encoderOf = (type: PropertyType): ((value: unknown) => Stored) =>
  type === 'json' ? jsonToStored : toStored

const toNumber = (value: unknown): number => Number(value)

const FROM_STORED = {
  assigned: toNumber,
  integer: toNumber,
  number: toNumber,
  text: (value) => String(value),
  boolean: (value) => value === true || value === 1 || value === 't',
  json: (value) => JSON.parse(String(value)),
} as const satisfies Record<Exclude<PropertyType, 'bytes'>, (value: unknown) => Json>

/** Converts what is stored to values of a type. */
export const decoderOf = (type: Exclude<PropertyType, 'bytes'>): ((value: unknown) => Json) => {
  const convert = FROM_STORED[type]
  return (value) => (value === null || value === undefined ? null : convert(value))
}

/** As a plain array, which is equal on both engines. */
const decodeBytes = (value: unknown): Uint8Array | null => (value instanceof Uint8Array ? new Uint8Array(value) : null)

const columnOf = (property: string): string => property.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

interface Property<Name> {
  readonly name: Name
  readonly column: string
  readonly type: PropertyType
  encode(value: unknown): Stored
  decode(value: unknown): unknown
}

interface Options {
  /** The columns of the primary key; `id` if absent. */
  readonly key?: readonly string[]
  /** The columns that are not named as their property. */
  readonly columnNames?: Readonly<Record<string, string>>
  /** Columns of the table that `T` lacks. */
  readonly otherColumns?: Readonly<Record<string, ColumnType>>
}

/** Defines the table of `T`. A column is the property's name in snake case unless `columnNames` has another. */
export const entity = <T extends object, New extends Partial<T> = T>(
  name: string,
  types: PropertyTypes<T, New>,
  { key = ['id'], columnNames = {}, otherColumns = {} }: Options = {},
): Entity<T, New> => {
  const properties: Property<Extract<keyof T, string>>[] = []
  for (const name in types) {
    const type: PropertyType = types[name]
    const decode = type === 'bytes' ? decodeBytes : decoderOf(type)
    properties.push({ name, column: columnNames[name] ?? columnOf(name), type, decode, encode: encoderOf(type) })
  }
  const inserted = properties.filter(({ type }) => type !== 'assigned')
  return {
    name,
    key,
    columns: {
      ...Object.fromEntries(properties.map(({ column, type }) => [column, columnTypeOf(type)])),
      ...otherColumns,
    },
    inserted: inserted.map(({ column }) => column),
    valuesOf(value) {
      const partial: Partial<T> = value
      return inserted.map(({ name, encode }) => encode(partial[name]))
    },
    fromRow(row) {
      const value: Record<string, unknown> = {}
      for (const { name, column, decode } of properties) value[name] = decode(row[column])
      // The table contains only what `valuesOf` and statements of the same types have stored.
      return value as T
    },
  }
}
