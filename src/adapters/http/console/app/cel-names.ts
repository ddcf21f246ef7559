import type { Definition, FieldSchema } from './types.ts'

/** A name that can follow in an expression. */
export interface CelName {
  readonly label: string
  readonly detail: string
}

/** The names after a path of members, such as those of a record after `record`; the variables after none. */
export type CelNames = (path: readonly string[]) => readonly CelName[]

type Fields = Readonly<Record<string, FieldSchema>>

const EVERY_RECORD: Fields = {
  id: { type: 'integer' },
  owner_id: { type: 'integer' },
  version: { type: 'integer' },
  created_at: { type: 'string', format: 'date-time' },
  updated_at: { type: 'string', format: 'date-time' },
}

const USER: Fields = { id: { type: 'integer' }, name: { type: 'string' } }

const AUTH: Fields = {
  id: { type: 'integer' },
  role: { type: 'string' },
  email: { type: 'string' },
  email_verified: { type: 'boolean' },
}

const FILE: Fields = {
  id: { type: 'integer' },
  owner_id: { type: 'integer' },
  filename: { type: 'string' },
  content_type: { type: 'string' },
  size: { type: 'integer' },
  created_at: { type: 'string', format: 'date-time' },
}

const FUNCTIONS: readonly CelName[] = [
  { label: 'has', detail: '(record.field)' },
  { label: 'size', detail: '(text or list)' },
  { label: 'duration', detail: '("24h")' },
  { label: 'timestamp', detail: '("2030-01-31T00:00:00Z")' },
]

const MAX_PATH_LENGTH = 4

const describe = ({ type, format, 'x-ref': target }: FieldSchema): string =>
  target ?? format ?? (typeof type === 'string' ? type : (type ?? []).join(' or '))

const namesOf = (fields: Fields): readonly CelName[] =>
  Object.entries(fields).map(([label, schema]) => ({ label, detail: describe(schema) }))

interface Scope {
  /** The fields of the record. */
  readonly fields: Fields
  readonly collections: readonly Pick<Definition, 'name' | 'schema'>[]
  readonly variables: readonly ('auth' | 'record' | 'next')[]
  /** Whether fields are named without `record`, as in filters. */
  readonly isBare: boolean
}

/** The names that an expression about a record can contain. */
export const celNames = ({ fields, collections, variables, isBare }: Scope): CelNames => {
  const record = { ...fields, ...EVERY_RECORD }
  const targetOf = (target: string | undefined): Fields => {
    if (target === undefined) return {}
    if (target === 'users') return USER
    if (target === 'files') return FILE
    const found = collections.find(({ name }) => name === target)
    return found === undefined ? {} : { ...found.schema.properties, ...EVERY_RECORD }
  }
  const membersOf = (path: readonly string[]): Fields => {
    const [root = '', ...members] = path
    const isVariable = variables.some((name) => name === root)
    if (root === 'auth' && isVariable) return members.length === 0 ? AUTH : {}
    if (!isVariable && !isBare) return {}
    return (isVariable ? members : path).reduce<Fields>((known, name) => targetOf(known[name]?.['x-ref']), record)
  }
  return (path) => {
    if (path.length > MAX_PATH_LENGTH) return []
    if (path.length > 0) return namesOf(membersOf(path))
    const own = variables.map((label) => ({ label, detail: 'variable' }))
    return [...(isBare ? namesOf(record) : []), ...own, { label: 'now', detail: 'time' }, ...FUNCTIONS]
  }
}
