import { call } from './api.ts'
import { typeOf } from './definition-draft.ts'
import type { Choice, Choices, Definition, FieldOf, Page, RecordBody, StoredFile, User } from './types.ts'

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

const MAX_CHOICES_COUNT = 10

const toChoice = (target: string, definition: Definition | undefined) => (record: { readonly id: number }) => ({
  id: record.id,
  label: labelOf(target, record, definition),
  hint: 'email' in record ? String(record.email) : `#${record.id}`,
})

/** A filter for a text as it is typed and as names are written, because filters tell capitals from small letters. */
const containsText = (field: string, text: string): string => {
  const capitalized = text.charAt(0).toUpperCase() + text.slice(1)
  const forms = [...new Set([text, text.toLowerCase(), capitalized])]
  return forms.map((form) => `${field}.contains(${JSON.stringify(form)})`).join(' || ')
}

interface Search {
  readonly target: string
  /** A part of the name. */
  readonly text: string
  readonly definition: Definition | undefined
}

const FILES_PAGE_SIZE = 100

/** The API lists files, but does not search them. */
const filesPage = async (text: string, cursor: string | null): Promise<Page<StoredFile>> => {
  const size = text === '' ? MAX_CHOICES_COUNT : FILES_PAGE_SIZE
  const page = await call<Page<StoredFile>>('GET', '/files/', { query: { size, total: 'false', cursor } })
  const wanted = text.toLowerCase()
  return { ...page, items: page.items.filter(({ filename }) => filename.toLowerCase().includes(wanted)) }
}

const searchPage = (
  { target, text, definition }: Search,
  cursor: string | null,
): Promise<Page<{ readonly id: number }>> => {
  if (target === 'files') return filesPage(text, cursor)
  const query = { size: MAX_CHOICES_COUNT, total: 'false', cursor }
  if (target === 'users') return call<Page<User>>('GET', '/users/', { query: { ...query, q: text } })
  const label = labelFieldOf(definition)
  const isSearched = definition !== undefined && definition.search.length > 0
  const filter = text === '' || label === null ? '' : containsText(label, text)
  return call<Page<RecordBody>>('GET', pathOf(target), {
    query: { ...query, ...(isSearched ? { q: text } : { filter }) },
  })
}

/**
 * Some of what a reference to a target may lead to, after where a search has ended, or from its beginning. A search that
 * takes many pages ends when it is no longer wanted.
 */
export const searchTarget = async (search: Search, after: string | null, isWanted: () => boolean): Promise<Choices> => {
  const choices: Choice[] = []
  let cursor = after
  do {
    const page: Page<{ readonly id: number }> = await searchPage(search, cursor)
    choices.push(...page.items.map(toChoice(search.target, search.definition)))
    cursor = page.next_cursor
  } while (cursor !== null && choices.length < MAX_CHOICES_COUNT && isWanted())
  return { choices, next: cursor }
}

/** The name of what a reference leads to. */
export const findTarget = async (target: string, id: number, definition: Definition | undefined): Promise<Choice> => {
  const path = target === 'users' || target === 'files' ? `/${target}/` : pathOf(target)
  return toChoice(target, definition)(await call<{ id: number }>('GET', `${path}${id}`))
}
