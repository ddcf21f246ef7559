import { type Definition, type FieldSchema, type Index, RULES } from './types.ts'

/** The kinds of fields that the form offers; anything else is kept as it is. */
export const KINDS = {
  text: 'Text',
  integer: 'Whole number',
  number: 'Number',
  boolean: 'Yes or no',
  'date-time': 'Date and time',
  date: 'Date',
  email: 'Email address',
  uri: 'URL',
  choice: 'Choice',
  reference: 'Reference',
  references: 'List of references',
  object: 'JSON object',
  array: 'List',
} as const

export type Kind = keyof typeof KINDS

const FORMATS: readonly Kind[] = ['date-time', 'date', 'email', 'uri']

export const typesOf = ({ type }: FieldSchema): readonly string[] =>
  typeof type === 'string' ? [type] : type === undefined ? [] : type

/** The type of a field, apart from null. */
export const typeOf = (schema: FieldSchema): string => typesOf(schema).find((type) => type !== 'null') ?? 'object'

const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text)

export const kindOf = (schema: FieldSchema): Kind => {
  const type = typeOf(schema)
  if (schema['x-ref'] !== undefined) return type === 'array' ? 'references' : 'reference'
  if (schema.enum !== undefined) return 'choice'
  if (type === 'string') return FORMATS.find((format) => format === schema.format) ?? 'text'
  return isKind(type) ? type : 'object'
}

const MAX_TEXT_LENGTH = 200

/** A new schema of a kind. */
export const schemaOf = (kind: Kind, target = 'users'): FieldSchema => {
  if (kind === 'text') return { type: 'string', maxLength: MAX_TEXT_LENGTH }
  if (kind === 'choice') return { type: 'string', enum: [] }
  if (kind === 'reference') return { type: 'integer', 'x-ref': target }
  if (kind === 'references') return { type: 'array', items: { type: 'integer' }, 'x-ref': target }
  if (kind === 'array') return { type: 'array', items: { type: 'string' } }
  if (FORMATS.includes(kind)) return { type: 'string', format: kind }
  return { type: kind }
}

/** A field of the form. `id` stays while it is renamed. */
export interface FieldDraft {
  readonly id: number
  readonly name: string
  /** The name that it has on the server; null for a new one. */
  readonly formerName: string | null
  readonly required: boolean
  readonly searched: boolean
  readonly schema: FieldSchema
}

export interface DefinitionDraft {
  readonly name: string
  readonly singular: string | null
  /** Members of the schema that the form does not show. */
  readonly about: Readonly<Record<string, unknown>>
  readonly fields: readonly FieldDraft[]
  readonly indexes: readonly Index[]
  readonly rules: Readonly<Record<string, string | null>>
  readonly owner: 'delete' | 'keep'
}

/** What each part of the form is given. */
export interface PartProps {
  readonly draft: DefinitionDraft
  readonly isReadOnly: boolean
  readonly error: Error | null
  readonly onChange: (draft: DefinitionDraft) => void
}

const OWNERS_ONLY = 'auth.id == record.owner_id'

let lastId = 0

export const newField = (): FieldDraft => ({
  id: ++lastId,
  name: '',
  formerName: null,
  required: false,
  searched: false,
  schema: schemaOf('text'),
})

export const EMPTY_DRAFT: DefinitionDraft = {
  name: '',
  singular: null,
  about: {},
  fields: [],
  indexes: [],
  rules: { read: OWNERS_ONLY, create: 'auth != null', update: OWNERS_ONLY, delete: OWNERS_ONLY },
  owner: 'delete',
}

type Input = Partial<Pick<Definition, 'name' | 'singular' | 'schema' | 'indexes' | 'search' | 'rules' | 'owner'>>

/** The draft of a definition. With `formerNames`, its fields are the stored ones. */
export const draftOf = (input: Input, formerNames: readonly string[] = []): DefinitionDraft => {
  const { properties = {}, required = [], ...about } = input.schema ?? { type: 'object' }
  return {
    name: input.name ?? '',
    singular: input.singular ?? null,
    about,
    fields: Object.entries(properties).map(([name, schema]) => ({
      id: ++lastId,
      name,
      formerName: formerNames.includes(name) ? name : null,
      required: required.includes(name),
      searched: input.search?.includes(name) ?? false,
      schema,
    })),
    indexes: input.indexes ?? [],
    rules: { ...EMPTY_DRAFT.rules, ...input.rules },
    owner: input.owner ?? 'delete',
  }
}

/** The definition as the server takes it. */
export const definitionOf = ({ name, singular, about, fields, indexes, rules, owner }: DefinitionDraft) => ({
  ...(name === '' ? {} : { name }),
  ...(singular === null || singular === '' ? {} : { singular }),
  schema: {
    ...about,
    type: 'object' as const,
    required: fields.filter((field) => field.required).map((field) => field.name),
    properties: Object.fromEntries(fields.map((field) => [field.name, field.schema])),
  },
  indexes,
  search: fields.filter((field) => field.searched && kindOf(field.schema) === 'text').map((field) => field.name),
  rules: Object.fromEntries(RULES.map((rule) => [rule, rules[rule] ?? null])),
  owner,
})

/** The same fields, told apart from all others of this page. */
export const withNewIds = (draft: DefinitionDraft): DefinitionDraft => ({
  ...draft,
  fields: draft.fields.map((field) => ({ ...field, id: ++lastId })),
})

/** Renames a field wherever the draft names it. */
export const renameField = (draft: DefinitionDraft, id: number, name: string): DefinitionDraft => {
  const former = draft.fields.find((field) => field.id === id)?.name
  return {
    ...draft,
    fields: draft.fields.map((field) => (field.id === id ? { ...field, name } : field)),
    indexes: draft.indexes.map((index) => ({
      ...index,
      fields: index.fields.map((each) => (each === former ? name : each)),
    })),
  }
}

export const removeField = (draft: DefinitionDraft, id: number): DefinitionDraft => {
  const name = draft.fields.find((field) => field.id === id)?.name
  return {
    ...draft,
    fields: draft.fields.filter((field) => field.id !== id),
    indexes: draft.indexes.filter((index) => !index.fields.some((each) => each === name)),
  }
}

/** A JSON Patch (RFC 6902) that renames the fields of records as the draft renames them. */
export const transformOf = (draft: DefinitionDraft): readonly object[] =>
  draft.fields.flatMap(({ name, formerName }) =>
    formerName === null || formerName === name ? [] : [{ op: 'move', from: `/${formerName}`, path: `/${name}` }],
  )

/** Two fields of one name would become one without a word. */
export const repeatedName = ({ fields }: DefinitionDraft): string | null =>
  fields.map(({ name }) => name).find((name, index, names) => names.indexOf(name) !== index) ?? null
