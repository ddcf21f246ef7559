import { call } from './api.ts'
import { typeOf } from './definition-draft.ts'
import type { Definition, FieldSchema, Page, RecordBody, StoredFile, User } from './types.ts'

export interface FieldOf {
  readonly name: string
  readonly schema: FieldSchema
  readonly required: boolean
}

export const fieldsOf = ({ schema }: Definition): readonly FieldOf[] =>
  Object.entries(schema.properties ?? {}).map(([name, each]) => ({
    name,
    schema: each,
    required: schema.required?.includes(name) ?? false,
  }))

export const pathOf = (collection: string): string => `/collections/${encodeURIComponent(collection)}/records/`

/** What a list of the collection can be sorted by. */
export const sortsOf = ({ indexes }: Definition): readonly string[] => [
  'id',
  'created_at',
  'updated_at',
  ...indexes.flatMap(({ fields }) => fields.slice(0, 1)),
]

/** The field that names a record to a person; null if none can. */
export const labelFieldOf = (definition: Definition | undefined): string | null => {
  if (definition === undefined) return null
  const texts = fieldsOf(definition).filter(({ schema }) => typeOf(schema) === 'string' && schema.format === undefined)
  return definition.search[0] ?? texts[0]?.name ?? null
}

export const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== ''

/** How a person recognises what a reference leads to. */
export const labelOf = (target: string, value: unknown, definition: Definition | undefined): string => {
  if (typeof value !== 'object' || value === null) return ''
  const named: Readonly<Record<string, unknown>> = { ...value }
  const field = target === 'users' ? 'name' : target === 'files' ? 'filename' : labelFieldOf(definition)
  const label = field === null ? undefined : named[field]
  return isText(label) ? label : `#${String(named.id)}`
}

export interface Choice {
  readonly id: number
  readonly label: string
  readonly hint: string
}

const MAX_CHOICES_COUNT = 10

const toChoice = (target: string, definition: Definition | undefined) => (record: { readonly id: number }) => ({
  id: record.id,
  label: labelOf(target, record, definition),
  hint: 'email' in record ? String(record.email) : `#${record.id}`,
})

/** A search of files looks at no more than a hundred times as many. */
const MAX_FILE_PAGES_COUNT = 50

/** Files by a part of their name, the newest first. The API lists files, but does not search them. */
const searchFiles = async (text: string, isWanted: () => boolean): Promise<readonly StoredFile[]> => {
  const wanted = text.toLowerCase()
  const found: StoredFile[] = []
  let cursor: string | null = null
  for (let pages = 0; pages < MAX_FILE_PAGES_COUNT && isWanted(); pages++) {
    const size = wanted === '' ? MAX_CHOICES_COUNT : 100
    const page: Page<StoredFile> = await call('GET', '/files/', { query: { size, total: 'false', cursor } })
    found.push(...page.items.filter(({ filename }) => filename.toLowerCase().includes(wanted)))
    cursor = page.next_cursor
    if (cursor === null || found.length >= MAX_CHOICES_COUNT) break
  }
  return found.slice(0, MAX_CHOICES_COUNT)
}

/** A filter for a text as it is typed and as names are written, because filters tell capitals from small letters. */
const containsText = (field: string, text: string): string => {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1)
  const forms = [...new Set([text, text.toLowerCase(), capitalized])]
  return forms.map((form) => `${field}.contains(${JSON.stringify(form)})`).join(' || ')
}

/** What a reference to `target` may lead to, by a part of its name. A long search ends when it is no longer wanted. */
export const searchTarget = async (
  target: string,
  text: string,
  definition: Definition | undefined,
  isWanted: () => boolean,
): Promise<readonly Choice[]> => {
  const query = { size: MAX_CHOICES_COUNT, total: 'false' }
  if (target === 'users') {
    const page = await call<Page<User>>('GET', '/users/', { query: { ...query, q: text } })
    return page.items.map(toChoice(target, definition))
  }
  if (target === 'files') return (await searchFiles(text, isWanted)).map(toChoice(target, definition))
  const label = labelFieldOf(definition)
  const isSearched = definition !== undefined && definition.search.length > 0
  const filter = text === '' || label === null ? '' : containsText(label, text)
  const search = isSearched ? { q: text } : { filter }
  const page = await call<Page<RecordBody>>('GET', pathOf(target), { query: { ...query, ...search } })
  return page.items.map(toChoice(target, definition))
}

/** The name of what a reference leads to. */
export const findTarget = async (target: string, id: number, definition: Definition | undefined): Promise<Choice> => {
  const path = target === 'users' || target === 'files' ? `/${target}/` : pathOf(target)
  return toChoice(target, definition)(await call<{ id: number }>('GET', `${path}${id}`))
}
