import {
  type Collection,
  expandableOf,
  type FieldSchema,
  isAlwaysPresent,
  isBuiltIn,
  isNullable,
  titleOf,
  typeOf,
} from '../domain/collection.ts'
import type { Json } from '../domain/merge-patch.ts'

/** The use of a type: a record in a response, a request that creates one, or a merge patch (RFC 7396) of one. */
type Use = 'record' | 'create' | 'update'

type Fields = Readonly<Record<string, FieldSchema>>

const IDENTIFIER = /^[A-Za-z_$][A-Za-z0-9_$]*$/

const propertyName = (name: string): string => (IDENTIFIER.test(name) ? name : JSON.stringify(name))

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`)

const LINE_END = /\r\n|[\n\r\u2028\u2029]/

const comment = (paragraphs: readonly string[]): readonly string[] => {
  const lines = paragraphs.flatMap((text) => text.replaceAll('*/', '*\\/').split(LINE_END))
  if (lines.length === 0) return []
  const [line = ''] = lines
  return lines.length === 1 ? [`/** ${line} */`] : ['/**', ...lines.map((each) => ` * ${each}`.trimEnd()), ' */']
}

const commentOf = ({ title, description, format, 'x-ref': target }: FieldSchema): readonly string[] =>
  comment([
    ...(title === undefined ? [] : [title]),
    ...(description === undefined ? [] : [description]),
    ...(format === undefined ? [] : [`Format: ${format}`]),
    ...(target === undefined ? [] : [`References \`${target}\``]),
  ])

const isScalar = (value: Json): boolean => typeof value !== 'object' || value === null

/** The allowed values, if they are listed and can be written as types. */
const literalsOf = ({ enum: choices, const: constant }: FieldSchema): readonly string[] | null => {
  const values = constant === undefined ? choices : [constant]
  return values?.every(isScalar) === true ? [...new Set(values.map((value) => JSON.stringify(value)))] : null
}

const isRequired = (name: string, field: FieldSchema, required: readonly string[], use: Use): boolean =>
  use !== 'update' && required.includes(name) && !(use === 'create' && field.default !== undefined)

const membersOf = (fields: Fields, required: readonly string[], use: Use): readonly string[] =>
  Object.entries(fields).flatMap(([name, field]) => {
    const mark = isRequired(name, field, required, use) ? '' : '?'
    // In a merge patch, null removes a member.
    const isRemovable = use === 'update' && !required.includes(name)
    return [...commentOf(field), `${propertyName(name)}${mark}: ${typeText(field, use, isRemovable)}`]
  })

const objectText = (field: FieldSchema, use: Use): string => {
  const { properties, required = [], additionalProperties = properties === undefined } = field
  const isOpen = additionalProperties || use === 'update'
  if (properties === undefined) return isOpen ? '{ [name: string]: unknown }' : '{ [name: string]: never }'
  const members = membersOf(properties, required, use)
  const rest = additionalProperties ? ['[name: string]: unknown'] : []
  if (members.length + rest.length === 0) return '{ [name: string]: never }'
  return ['{', ...indented([...members, ...rest].flatMap((member) => member.split('\n'))), '}'].join('\n')
}

const baseText = (field: FieldSchema, use: Use): string => {
  switch (typeOf(field)) {
    case 'string':
      return 'string'
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
      // A merge patch replaces arrays as a whole, and adds no defaults.
      return `(${field.items === undefined ? 'unknown' : typeText(field.items, use === 'update' ? 'record' : use)})[]`
    case 'object':
      return objectText(field, use)
  }
}

const SIMPLE_ARRAY = /^\(([a-z]+)\)\[\]$/

const typeText = (field: FieldSchema, use: Use, orNull = false): string => {
  const literals = literalsOf(field)
  const texts = literals ?? [baseText(field, use).replace(SIMPLE_ARRAY, '$1[]')]
  const needsNull = (isNullable(field) && literals === null) || orNull
  return [...new Set([...texts, ...(needsNull ? ['null'] : [])])].join(' | ')
}

const declaration = (name: string, about: readonly string[], members: readonly string[]): string =>
  [...comment(about), `export interface ${name} {`, ...indented(members.flatMap((each) => each.split('\n'))), '}'].join(
    '\n',
  )

/** The targets of references other than records. */
const OTHER_TARGETS: Readonly<Record<string, string>> = { users: 'UserReference', files: 'StoredFile' }

/** The types of the targets of references, by name. */
type TargetTypes = ReadonlyMap<string, string>

const expandedMembers = (collection: Collection, targets: TargetTypes): readonly string[] => {
  const members = expandableOf(collection).flatMap(({ name, target, isList }) => {
    const type = targets.get(target)
    return type === undefined ? [] : [`${propertyName(name)}?: ${type}${isList ? '[]' : ''}`]
  })
  return members.length === 0 ? ['[name: string]: never'] : members
}

const declarationsOf = (collection: Collection, targets: TargetTypes): readonly string[] => {
  const { fields, required, description, title } = collection
  const name = titleOf(collection)
  const present = Object.keys(fields).filter((field) => isAlwaysPresent(collection, field))
  const about = [...(title === undefined ? [] : [title]), ...(description === '' ? [] : [description])]
  return [
    declaration(name, about, [
      'id: number',
      `owner_id: number${isBuiltIn(collection) ? '' : ' | null'}`,
      ...membersOf(fields, present, 'record'),
      'version: number',
      'created_at: string',
      'updated_at: string',
      `expanded?: ${name}Expanded`,
    ]),
    declaration(`${name}Create`, [], membersOf(fields, required, 'create')),
    declaration(`${name}Update`, ['A JSON Merge Patch (RFC 7396)'], membersOf(fields, required, 'update')),
    declaration(
      `${name}Expanded`,
      ['What `expand` asked for and the caller may read'],
      expandedMembers(collection, targets),
    ),
  ]
}

const OTHER_DECLARATIONS = [
  declaration('UserReference', ['The details of a user that other users may see'], ['id: number', 'name: string']),
  declaration(
    'StoredFile',
    [],
    [
      'id: number',
      'filename: string',
      'content_type: string',
      '/** Bytes */',
      'size: number',
      'sha256: string',
      'owner_id: number',
      'created_at: string',
      '/** The path of the content */',
      'path: string',
    ],
  ),
]

/** The further types of a record, by the suffix of their names. */
const USES = ['Create', 'Update', 'Expanded']

const HEADER = '// Written by `skep types` from the definitions of the collections.'

/** TypeScript declarations for the records of collections. The same definitions always have the same text. */
export const typeDeclarationsOf = (collections: readonly Collection[]): string => {
  const sorted = collections.toSorted((one, other) => (one.name < other.name ? -1 : 1))
  const targets = new Map([
    ...sorted.map((collection) => [collection.name, titleOf(collection)] as const),
    ...Object.entries(OTHER_TARGETS),
  ])
  const map = sorted.map((collection) => {
    const name = titleOf(collection)
    const members = [`record: ${name}`, ...USES.map((use) => `${use.toLowerCase()}: ${name}${use}`)]
    return `${collection.name}: { ${members.join('; ')} }`
  })
  return `${[
    HEADER,
    ...OTHER_DECLARATIONS,
    ...sorted.flatMap((collection) => declarationsOf(collection, targets)),
    declaration('Collections', ['The types of every collection, by its name'], map),
  ].join('\n\n')}\n`
}
