import type { Json, JsonObject } from './merge-patch.ts'

export type FieldType = 'string' | 'integer' | 'number' | 'boolean' | 'object'

/** The allowed values of a field: a subset of JSON Schema 2020-12. Lengths count characters (code points). */
export interface FieldSchema {
  readonly type: FieldType | readonly [FieldType, 'null']
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  /** The value if a create request omits the field; without it, null or the empty value of the type. */
  readonly default?: Json
  readonly description?: string
  readonly examples?: readonly Json[]
  /** One line with at least one visible character, and nothing that changes the direction of the following text. */
  readonly 'x-line'?: true
  /** The limit for an object, in bytes of its JSON text in UTF-8. */
  readonly 'x-max-bytes'?: number
}

/**
 * A kind of record that users own. Storage, use cases, routes, topics, clean-up and documents are derived from it.
 * Every record has `id owner_id version created_at updated_at` in addition to its fields.
 */
export interface Collection {
  /** The plural: path, topic and kind of its events. `^[a-z][a-z0-9_]{0,62}$`. */
  readonly name: string
  /** The singular: `item.created`, and `Item` in documents. */
  readonly singular: string
  /** Description of a record, for documents. */
  readonly description: string
  readonly fields: Readonly<Record<string, FieldSchema>>
  readonly required: readonly string[]
  /** Text fields, never null, that lists can be sorted by, in addition to `created_at` and `updated_at`. */
  readonly sorts: readonly string[]
  /** Text fields that `q` searches. */
  readonly search: readonly string[]
}

interface Values {
  readonly string: string
  readonly integer: number
  readonly number: number
  readonly boolean: boolean
  readonly object: JsonObject
}

/** The value of a field. */
export type FieldValue<F extends FieldSchema> = F['type'] extends readonly [infer T extends FieldType, 'null']
  ? Values[T] | null
  : F['type'] extends FieldType
    ? Values[F['type']]
    : never

type FieldsOf<C extends Collection> = C['fields']

/** The fields of a record. */
export type FieldValues<C extends Collection> = {
  -readonly [Name in keyof FieldsOf<C>]: FieldValue<FieldsOf<C>[Name]>
}

/** The input from which a record is created. */
export type Draft<C extends Collection> = Pick<FieldValues<C>, Extract<C['required'][number], keyof FieldValues<C>>> &
  Partial<FieldValues<C>>

/** A change: the given fields take their new value; an object is merged (RFC 7396), and null empties it. */
export type Patch<C extends Collection> = {
  [Name in keyof FieldsOf<C>]?:
    | FieldValue<FieldsOf<C>[Name]>
    | (FieldsOf<C>[Name]['type'] extends 'object' ? null : never)
}

export const typeOf = ({ type }: FieldSchema): FieldType => (typeof type === 'string' ? type : type[0])

export const isNullable = ({ type }: FieldSchema): boolean => typeof type !== 'string'

export const sortsOf = ({ sorts }: Collection): readonly string[] => ['created_at', 'updated_at', ...sorts]

export const RECORD_CHANGES = ['created', 'updated', 'deleted'] as const
export type RecordChange = (typeof RECORD_CHANGES)[number]

/** How error messages call one record: `Item`. */
export const nounOf = ({ singular }: Collection): string => singular.charAt(0).toUpperCase() + singular.slice(1)

/** `item.created` */
export const eventName = ({ singular }: Collection, change: RecordChange): string => `${singular}.${change}`

/** `Item` of `item`, `DueDate` of `due_date`. */
export const pascalCase = (name: string): string =>
  name.replace(/(?:^|_)([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** The name of a record in documents. */
export const titleOf = ({ singular }: Collection): string => pascalCase(singular)

const NAME = /^[a-z][a-z0-9_]{0,62}$/
const RESERVED_FIELDS = new Set([
  'id',
  'owner_id',
  'version',
  'epoch',
  'created_at',
  'updated_at',
  'words',
  'words_version',
])

const faultsOf = (collection: Collection): readonly string[] => {
  const { name, singular, fields, required, sorts, search } = collection
  const isText = (field: string) => fields[field] !== undefined && typeOf(fields[field]) === 'string'
  return [
    ...[name, singular].filter((each) => !NAME.test(each)).map((each) => `${each} is no name`),
    ...Object.keys(fields)
      .filter((field) => !NAME.test(field) || RESERVED_FIELDS.has(field))
      .map((field) => `${field} cannot be the name of a field`),
    ...[...required, ...sorts, ...search]
      .filter((field) => fields[field] === undefined)
      .map((field) => `there is no field ${field}`),
    ...search.filter((field) => !isText(field)).map((field) => `${field} is no text to be searched`),
    ...sorts
      .filter((field) => fields[field] !== undefined && (!isText(field) || isNullable(fields[field])))
      .map((field) => `${field} cannot be sorted by`),
  ]
}

/** Returns the definition with its exact type. Throws if it contradicts itself. */
export const defineCollection = <const C extends Collection>(collection: C): C => {
  const faults = faultsOf(collection)
  if (faults.length > 0) throw new Error(`collection ${collection.name}: ${faults.join('; ')}`)
  return collection
}
