import { Fragment } from 'preact'
import { useState } from 'preact/hooks'
import { useSession } from '../context.ts'
import { type Paged, Pager, usePages } from '../pager.tsx'
import { toLocalTime } from '../record-draft.ts'
import { hrefOf, setQuery, usePlace } from '../router.ts'
import { PageHead } from '../shell.tsx'
import type { Page } from '../types.ts'
import { Button, Dialog, Empty, Failure, Field, faultsAt, Loading, Scrolled, Time } from '../ui.tsx'

type Value = string | number | boolean | null

interface AuditEntry {
  readonly id: number
  readonly created_at: string
  readonly actor_id: number | null
  readonly action: string
  readonly subject: string | null
  readonly address: string | null
  readonly session_id: number | null
  readonly request_id: string | null
  readonly details: Readonly<Record<string, Value>>
}

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

const FILTERS = ['actor', 'action', 'subject', 'since', 'until'] as const
type Filter = (typeof FILTERS)[number]
type Filters = Readonly<Record<Filter, string>>

const TIMES: ReadonlySet<Filter> = new Set(['since', 'until'])

const lookOf = (action: string): string => {
  if (action.endsWith('.failed')) return 'badge error'
  if (action.endsWith('.deleted') || action.endsWith('.ended')) return 'badge warn'
  return /\.(read|requested|loaded)$/.test(action) ? 'badge' : 'badge accent'
}

const Who = ({ entry: { actor_id, address } }: { entry: AuditEntry }) => {
  const { user } = useSession()
  if (actor_id === null) return <span class="quiet">{address === null ? 'Server' : 'Not signed in'}</span>
  return <>{actor_id === user.id ? 'You' : `User ${actor_id}`}</>
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

/** The page of the console about a subject, such as `users/12` or `tasks/7`. */
const placeOf = (subject: string): string | null => {
  const [kind = '', id] = subject.split('/')
  if (kind === 'users') return id === undefined ? 'users' : `users?user=${id}`
  return ['jobs', 'files', 'backups'].includes(kind) ? kind : null
}

const More = ({
  name,
  value,
  onFilter,
}: {
  name: Filter
  value: string
  onFilter: (filters: Partial<Filters>) => void
}) => (
  <Button
    kind="quiet"
    icon="search"
    aria-label={`Only these: ${name} ${value}`}
    onClick={() => onFilter({ [name]: value })}
  >
    Only these
  </Button>
)

interface EntryProps {
  readonly entry: AuditEntry
  readonly onClose: () => void
  readonly onFilter: (filters: Partial<Filters>) => void
}

/** Everything that is known about an entry, and ways to similar ones. */
const Entry = ({ entry, onClose, onFilter }: EntryProps) => {
  const { action, actor_id, subject, address, session_id, request_id, details, created_at } = entry
  const place = subject === null ? null : placeOf(subject)
  return (
    <Dialog kind="drawer" title={action} onClose={onClose}>
      <div class="dialog-body">
        <dl class="facts entry-facts">
          <dt>Time</dt>
          <dd>
            <Time value={created_at} /> <code class="quiet">{created_at}</code>
          </dd>
          <dt>Action</dt>
          <dd>
            {action} <More name="action" value={action} onFilter={onFilter} />
          </dd>
          <dt>Actor</dt>
          <dd>
            <Who entry={entry} />{' '}
            {actor_id !== null && <More name="actor" value={String(actor_id)} onFilter={onFilter} />}
          </dd>
          <dt>Subject</dt>
          <dd>
            {subject === null ? (
              <span class="quiet">–</span>
            ) : (
              <>
                {place === null ? <bdi>{subject}</bdi> : <a href={hrefOf(place)}>{subject}</a>}{' '}
                <More name="subject" value={subject} onFilter={onFilter} />
              </>
            )}
          </dd>
          <dt>Address</dt>
          <dd>{address ?? <span class="quiet">Not recorded</span>}</dd>
          <dt>Session</dt>
          <dd>{session_id ?? <span class="quiet">–</span>}</dd>
          <dt>Request</dt>
          <dd>{request_id === null ? <span class="quiet">–</span> : <code>{request_id}</code>}</dd>
        </dl>
        {Object.keys(details).length > 0 && (
          <>
            <h3>Details</h3>
            <dl class="facts entry-facts">
              {Object.entries(details).map(([name, value]) => (
                <Fragment key={name}>
                  <dt>{name.replaceAll('_', ' ')}</dt>
                  <dd>
                    <bdi>{String(value ?? '–')}</bdi>
                  </dd>
                </Fragment>
              ))}
            </dl>
          </>
        )}
      </div>
    </Dialog>
  )
}

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
