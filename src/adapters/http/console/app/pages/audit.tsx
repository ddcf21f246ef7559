import { useState } from 'preact/hooks'
import { type AuditEntry, Entry, FILTERS, type Filter, type Filters, Who } from '../audit-entry.tsx'
import { type Paged, Pager, usePages } from '../pager.tsx'
import { toLocalTime } from '../record-draft.ts'
import { setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import type { Page } from '../types.ts'
import { Button, Empty, Failure, Field, faultsAt, Loading, Scrolled, Time } from '../ui.tsx'

/** What one looks for most; any other action can be typed. */
const SUGGESTIONS = [
  'sign_in.failed',
  'session.',
  'user.',
  'password.',
  'collection.',
  'record.',
  'record.read',
  'file.',
  'link.',
  'job.',
  'backup.',
  'settings.loaded',
]

const TIMES: ReadonlySet<Filter> = new Set(['since', 'until'])

const lookOf = (action: string): string => {
  if (action.endsWith('.failed')) return 'badge error'
  if (action.endsWith('.deleted') || action.endsWith('.ended')) return 'badge warn'
  return /\.(read|requested|loaded)$/.test(action) ? 'badge' : 'badge accent'
}

const detailsOf = ({ details }: AuditEntry): string =>
  Object.entries(details)
    .map(([name, value]) => `${name.replaceAll('_', ' ')}: ${value ?? '–'}`)
    .join(', ')

const Row = ({ entry, onOpen }: { entry: AuditEntry; onOpen: () => void }) => (
  // The button in the first cell does the same by keyboard.
  <tr class="opens" onClick={onOpen}>
    <th scope="row" class="nowrap">
      <button type="button" class="row-open" onClick={onOpen}>
        <Time value={entry.created_at} />
      </button>
    </th>
    <td>
      <span class={lookOf(entry.action)}>{entry.action}</span>
    </td>
    <td>
      <Who entry={entry} />
    </td>
    <td>{entry.subject === null ? <span class="quiet">–</span> : <bdi>{entry.subject}</bdi>}</td>
    <td>{entry.address ?? <span class="quiet">–</span>}</td>
    <td>
      <bdi>{detailsOf(entry)}</bdi>
    </td>
  </tr>
)

/** What a field of the filter sends for what was typed. */
const toParameter = (name: Filter, typed: string): string => {
  const time = TIMES.has(name) && typed !== '' ? new Date(typed) : null
  return time === null || Number.isNaN(time.getTime()) ? typed.trim() : time.toISOString()
}

const LABELS: Readonly<Record<Filter, string>> = {
  actor: 'User ID',
  action: 'Action',
  subject: 'Subject',
  since: 'Since',
  until: 'Until',
}
const PLACEHOLDERS: Readonly<Partial<Record<Filter, string>>> = {
  actor: '12',
  action: 'user.',
  subject: 'users/12',
}

interface FilterFormProps {
  readonly filters: Filters
  readonly error: Error | null
  readonly onFilter: (filters: Partial<Filters>) => void
}

const FilterForm = ({ filters, error, onFilter }: FilterFormProps) => (
  <search>
    <form class="filter-form" noValidate onSubmit={(event) => event.preventDefault()}>
      {FILTERS.map((name) => (
        <Field key={name} label={LABELS[name]} required fault={faultsAt(error, `/${name}`)}>
          {({ 'aria-required': _, ...control }) => (
            <input
              {...control}
              type={TIMES.has(name) ? 'datetime-local' : 'search'}
              step={TIMES.has(name) ? 1 : undefined}
              list={name === 'action' ? 'audit-actions' : undefined}
              placeholder={PLACEHOLDERS[name]}
              value={TIMES.has(name) ? toLocalTime(filters[name]) : filters[name]}
              onChange={({ currentTarget }) => onFilter({ [name]: toParameter(name, currentTarget.value) })}
            />
          )}
        </Field>
      ))}
      <datalist id="audit-actions">
        {SUGGESTIONS.map((action) => (
          <option key={action} value={action} />
        ))}
      </datalist>
    </form>
  </search>
)

const Table = ({ entries, onOpen }: { entries: Paged<AuditEntry>; onOpen: (entry: AuditEntry) => void }) => (
  <Scrolled label="Audit log" isLoading={entries.isLoading}>
    <table>
      <thead>
        <tr>
          <th scope="col">Time</th>
          <th scope="col">Action</th>
          <th scope="col">Actor</th>
          <th scope="col">Subject</th>
          <th scope="col">Address</th>
          <th scope="col">Details</th>
        </tr>
      </thead>
      <tbody>
        {entries.data?.items.map((entry) => (
          <Row key={entry.id} entry={entry} onOpen={() => onOpen(entry)} />
        ))}
      </tbody>
    </table>
  </Scrolled>
)

const Nothing = ({ page, isFiltered }: { page: Page<AuditEntry>; isFiltered: boolean }) => {
  if (page.items.length > 0) return null
  if (page.next_cursor !== null) {
    return (
      <Empty icon="search" title="Nothing in this part of the log">
        <p>The search stops after a while. “Next” goes on with what is older.</p>
      </Empty>
    )
  }
  return <Empty icon="audit" title={isFiltered ? 'Nothing matches' : 'Nothing has happened yet'} />
}

/** Who did what, newest first. */
export const AuditPage = () => {
  const { query } = usePlace()
  const of = (name: Filter): string => query.get(name) ?? ''
  const filters: Filters = {
    actor: of('actor'),
    action: of('action'),
    subject: of('subject'),
    since: of('since'),
    until: of('until'),
  }
  const entries = usePages<AuditEntry>('/admin/audit', { ...filters, total: 'false' })
  const [opened, setOpened] = useState<AuditEntry | null>(null)
  const isFiltered = Object.values(filters).some((value) => value !== '')
  const filter = (changes: Partial<Filters>) => {
    setOpened(null)
    setQuery(changes)
  }
  return (
    <>
      <PageHead title="Audit log" about="Who did what, newest first. Nothing here can be changed.">
        {isFiltered && (
          <Button onClick={() => filter({ actor: '', action: '', subject: '', since: '', until: '' })}>
            Clear filters
          </Button>
        )}
        <Button onClick={entries.reload}>Refresh</Button>
      </PageHead>
      <FilterForm filters={filters} error={entries.error} onFilter={filter} />
      <Failure error={entries.error} shown={FILTERS.map((name) => `/${name}`)} onRetry={entries.reload} />
      {entries.data === null && entries.isLoading && <Loading />}
      {entries.error === null && entries.data !== null && (
        <>
          {entries.data.items.length > 0 && <Table entries={entries} onOpen={setOpened} />}
          <Nothing page={entries.data} isFiltered={isFiltered} />
        </>
      )}
      <Pager pages={entries} />
      {opened !== null && <Entry entry={opened} onClose={() => setOpened(null)} onFilter={filter} />}
    </>
  )
}
