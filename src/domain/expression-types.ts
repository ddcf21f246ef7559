import { type Collection, type FieldSchema, typeOf } from './collection.ts'

/** The static type of an expression. Any type but a record may turn out to be null. */
export type Type =
  | { readonly kind: 'null' | 'boolean' | 'string' | 'timestamp' | 'duration' }
  /** `references` is the collection, `users` or `files` that a number is an id of. */
  | { readonly kind: 'number'; readonly references?: string }
  | { readonly kind: 'list'; readonly element: Type }
  | { readonly kind: 'object'; readonly schema: FieldSchema }
  /** A member of an object that its schema does not name. */
  | { readonly kind: 'any' }
  /** `record`, `next`, `auth` or a referenced record: not a value, but its members are. */
  | { readonly kind: 'record'; readonly name: string; readonly memberNamed: (name: string) => Type | null }
  /** The type of an expression with a fault. It is compatible with every other, so that each fault is reported once. */
  | { readonly kind: 'unknown' }

export const NULL: Type = { kind: 'null' }
export const BOOLEAN: Type = { kind: 'boolean' }
export const NUMBER: Type = { kind: 'number' }
export const STRING: Type = { kind: 'string' }
export const TIMESTAMP: Type = { kind: 'timestamp' }
export const DURATION: Type = { kind: 'duration' }
export const ANY: Type = { kind: 'any' }
export const UNKNOWN: Type = { kind: 'unknown' }

/** The word for a value of this type in messages. */
export const describe = (type: Type): string => {
  switch (type.kind) {
    case 'null':
      return 'null'
    case 'object':
      return 'an object'
    case 'any':
    case 'unknown':
      return 'a value'
    case 'record':
      return type.name
    default:
      return `a ${type.kind}`
  }
}

const typeOfArray = (field: FieldSchema): Type => {
  const target = field['x-ref']
  if (target !== undefined) return { kind: 'list', element: { kind: 'number', references: target } }
  return { kind: 'list', element: field.items === undefined ? ANY : typeOfField(field.items) }
}

export const typeOfField = (field: FieldSchema): Type => {
  switch (typeOf(field)) {
    case 'boolean':
      return BOOLEAN
    case 'string':
      return field.format === 'date-time' ? TIMESTAMP : STRING
    case 'integer':
    case 'number': {
      const target = field['x-ref']
      return target === undefined ? NUMBER : { kind: 'number', references: target }
    }
    case 'array':
      return typeOfArray(field)
    case 'object':
      return { kind: 'object', schema: field }
  }
}

const own = <T>(members: Readonly<Record<string, T>>, name: string): T | null =>
  Object.hasOwn(members, name) ? (members[name] ?? null) : null

/** The type of a member of an object. Null if its schema excludes one of this name. */
export const typeOfMember = ({ properties, additionalProperties }: FieldSchema, name: string): Type | null => {
  const field = own(properties ?? {}, name)
  if (field !== null) return typeOfField(field)
  return (additionalProperties ?? properties === undefined) ? ANY : null
}

const recordOf = (name: string, members: Readonly<Record<string, Type>>): Type => ({
  kind: 'record',
  name,
  memberNamed: (member) => own(members, member),
})

export const AUTH = recordOf('auth', { id: NUMBER, role: STRING, email: STRING, email_verified: BOOLEAN })

const USER = recordOf('a user', { id: NUMBER, name: STRING })

const FILE = recordOf('a file', {
  id: NUMBER,
  owner_id: NUMBER,
  filename: STRING,
  content_type: STRING,
  size: NUMBER,
  created_at: TIMESTAMP,
})

const EVERY_RECORD: Readonly<Record<string, Type>> = {
  id: NUMBER,
  owner_id: NUMBER,
  version: NUMBER,
  created_at: TIMESTAMP,
  updated_at: TIMESTAMP,
}

/** The value of a field for which `isFaulty` may be anything. */
export const recordType = ({ name, fields }: Collection, isFaulty = (_: string) => false): Type => ({
  kind: 'record',
  name: `a record of ${name}`,
  memberNamed(member) {
    const field = own(fields, member)
    if (field !== null) return typeOfField(field)
    return own(EVERY_RECORD, member) ?? (isFaulty(member) ? UNKNOWN : null)
  },
})

/** The target of a reference. Null if there is no such collection. */
export const targetType = (target: string, collectionNamed: (name: string) => Collection | null): Type | null => {
  if (target === 'users') return USER
  if (target === 'files') return FILE
  const collection = collectionNamed(target)
  return collection === null ? null : recordType(collection)
}

/** Whether values of this type are stored as the text of a timestamp, or as a list of such texts. */
export const isTimeType = (type: Type): boolean =>
  type.kind === 'timestamp' || (type.kind === 'list' && isTimeType(type.element))

const isOpen = ({ kind }: Type): boolean => kind === 'any' || kind === 'unknown'

/** Whether a value of this type may be one of the given kind. */
export const mayBe = (type: Type, ...kinds: readonly Type['kind'][]): boolean =>
  isOpen(type) || kinds.includes(type.kind)

/** Whether its values have the same form in JSON. A member that no schema names is never a timestamp. */
const isJson = (type: Type): boolean => {
  if (type.kind === 'list') return isJson(type.element)
  return type.kind !== 'timestamp' && type.kind !== 'duration'
}

/** Whether values of these types can be equal at all. */
export const areComparable = (one: Type, other: Type): boolean => {
  if (one.kind === 'record' || other.kind === 'record') return false
  if (one.kind === 'unknown' || other.kind === 'unknown') return true
  if (one.kind === 'null' || other.kind === 'null') return true
  if (one.kind === 'any' || other.kind === 'any') return isJson(one) && isJson(other)
  if (one.kind === 'list' && other.kind === 'list') return areComparable(one.element, other.element)
  return one.kind === other.kind
}

/** The type of a value that has one of two types. Null if they have nothing in common. */
export const unite = (one: Type, other: Type): Type | null => {
  if (!areComparable(one, other)) return null
  if (one.kind === 'unknown' || other.kind === 'unknown') return UNKNOWN
  if (one.kind === 'null') return other
  if (other.kind === 'null') return one
  if (one.kind === 'number' && other.kind === 'number') return one.references === other.references ? one : NUMBER
  if (one.kind === 'list' && other.kind === 'list') {
    const element = unite(one.element, other.element)
    return element === null ? null : { kind: 'list', element }
  }
  // Objects with different schemas have no known member.
  if (one.kind === 'object' && other.kind === 'object' && one.schema !== other.schema) return ANY
  return isOpen(one) ? one : other
}
