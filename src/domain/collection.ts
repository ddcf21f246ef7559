import type { Json, JsonObject } from './merge-patch.ts'

export type FieldType = 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array'

export const STRING_FORMATS = ['date-time', 'date', 'time', 'email', 'uri', 'uuid'] as const
export type StringFormat = (typeof STRING_FORMATS)[number]

/**
 * What happens to a record when a record that it references is deleted: the deletion is refused, this record is deleted
 * too, or its reference becomes null (an entry of a list is removed).
 */
export type ReferenceAction = 'restrict' | 'cascade' | 'clear'

/** The allowed values of a field: a subset of JSON Schema 2020-12. Lengths count characters (code points). */
export interface FieldSchema {
  readonly type: FieldType | readonly [FieldType, 'null']
  readonly title?: string
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly format?: StringFormat
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly multipleOf?: number
  readonly items?: FieldSchema
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly properties?: Readonly<Record<string, FieldSchema>>
  readonly required?: readonly string[]
  /** Whether an object may have members that `properties` does not name. An object without `properties` may. */
  readonly additionalProperties?: boolean
  /** The collection, `users` or `files`, that the value is an id of. For an array, it is given for the array. */
  readonly 'x-ref'?: string
  /** `restrict` if absent. */
  readonly 'x-on-delete'?: ReferenceAction
  /** The value if a create request omits the field; without it, null or the empty value of the type. */
  readonly default?: Json
  readonly description?: string
  readonly examples?: readonly Json[]
  /** One line with at least one visible character, and nothing that changes the direction of the following text. */
  readonly 'x-line'?: true
  /** The limit for an object, in bytes of its JSON text in UTF-8. */
  readonly 'x-max-bytes'?: number
}

/** The `form` of a collection before its first definition that shows records differently. */
export const FIRST_FORM = 1

/**
 * A kind of record that users own. Storage, use cases, routes, topics, clean-up and documents are derived from it.
 * Every record has `id owner_id version created_at updated_at` in addition to its fields.
 */
export interface Collection {
  /** The plural: path, topic and kind of its events. `^[a-z][a-z0-9_]{0,62}$`. */
  readonly name: string
  /** The singular: `item.created`, and `Item` in documents. */
  readonly singular: string
  /** Short name of a record for people. */
  readonly title?: string
  /** Description of a record, for documents. */
  readonly description: string
  readonly fields: Readonly<Record<string, FieldSchema>>
  readonly required: readonly string[]
  /**
   * Text fields, never null, that lists can be sorted by, in addition to `created_at` and `updated_at`. Empty for a
   * collection defined at run time, whose sorts follow from its indexes.
   */
  readonly sorts: readonly string[]
  /** Text fields that `q` searches. */
  readonly search: readonly string[]
  /** Absent for a collection defined in code. */
  readonly indexes?: readonly IndexDefinition[]
  /** Those of {@link DEFAULT_RULES} where absent. */
  readonly rules?: Partial<Rules>
  /** `delete` if absent. */
  readonly owner?: OwnerAction
  /** Increases with each definition that shows records of the same version differently. {@link FIRST_FORM} if absent. */
  readonly form?: number
}

/** An index over one to three scalar fields. A unique one ignores records in which one of them is null. */
export interface IndexDefinition {
  readonly fields: readonly string[]
  readonly unique?: boolean
}

/** What happens to the records of a user who is deleted: `keep` leaves them without an owner. */
export type OwnerAction = 'delete' | 'keep'

/** Who may do what, in CEL. Null means admins only. Admins pass every rule. */
export interface Rules {
  readonly read: string | null
  readonly create: string | null
  readonly update: string | null
  readonly delete: string | null
}

export const RULE_NAMES = ['read', 'create', 'update', 'delete'] as const
export type RuleName = (typeof RULE_NAMES)[number]

const OWNER_RULE = 'auth.id == record.owner_id'
export const DEFAULT_RULES: Rules = { read: OWNER_RULE, create: 'auth != null', update: OWNER_RULE, delete: OWNER_RULE }

export const rulesOf = ({ rules }: Collection): Rules => ({ ...DEFAULT_RULES, ...rules })

/** A field whose value is the id of another record, or a list of such ids. */
export interface ReferenceField {
  readonly name: string
  /** A collection, `users` or `files`. */
  readonly target: string
  readonly isList: boolean
  readonly action: ReferenceAction
}

export const referencesOf = ({ fields }: Collection): readonly ReferenceField[] =>
  Object.entries(fields).flatMap(([name, field]) => {
    const target = field['x-ref']
    if (target === undefined) return []
    return [{ name, target, isList: typeOf(field) === 'array', action: field['x-on-delete'] ?? 'restrict' }]
  })

/** Every record has an owner that can be expanded, unless the collection has a field of this name. */
const OWNER: ReferenceField = { name: 'owner', target: 'users', isList: false, action: 'restrict' }

/** The references that `expand` accepts: those of the fields, and the owner. */
export const expandableOf = (collection: Collection): readonly ReferenceField[] => {
  const references = referencesOf(collection)
  return Object.hasOwn(collection.fields, OWNER.name) ? references : [OWNER, ...references]
}

/** Whether a reference is the owner, and not one of the fields. */
export const isOwner = (reference: ReferenceField): boolean => reference === OWNER

interface Values {
  readonly string: string
  readonly integer: number
  readonly number: number
  readonly boolean: boolean
  readonly object: JsonObject
  readonly array: readonly Json[]
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

/** Whether it is defined in code, and its records have a table of their own. */
export const isBuiltIn = ({ indexes }: Collection): boolean => indexes === undefined

/** The fields that lists can be sorted by. */
export const sortsOf = ({ sorts, indexes }: Collection): readonly string[] => {
  if (indexes === undefined) return ['created_at', 'updated_at', ...sorts]
  return [...new Set(['id', 'created_at', 'updated_at', ...indexes.flatMap(({ fields }) => fields.slice(0, 1))])]
}

/**
 * Whether every record has the field: as null if it is nullable and has no value. Any other optional field is left out
 * of a record that has no value for it. A field of a collection defined in code always has a value.
 */
export const isAlwaysPresent = (collection: Collection, name: string): boolean => {
  const field = collection.fields[name]
  return isBuiltIn(collection) || collection.required.includes(name) || (field !== undefined && isNullable(field))
}

export const RECORD_CHANGES = ['created', 'updated', 'deleted'] as const
export type RecordChange = (typeof RECORD_CHANGES)[number]

/** The word for one record in error messages: `Item`. */
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
