import { Fragment } from 'preact'
import { useSession } from './context.ts'
import { Dialog } from './dialog.tsx'
import { hrefOf } from './router.ts'
import { Button, Time } from './ui.tsx'

type Value = string | number | boolean | null

export interface AuditEntry {
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

export const FILTERS = ['actor', 'action', 'subject', 'since', 'until'] as const
export type Filter = (typeof FILTERS)[number]
export type Filters = Readonly<Record<Filter, string>>

export const Who = ({ entry: { actor_id, address } }: { entry: AuditEntry }) => {
  const { user } = useSession()
  if (actor_id === null) return <span class="quiet">{address === null ? 'Server' : 'Not signed in'}</span>
  return <>{actor_id === user.id ? 'You' : `User ${actor_id}`}</>
}

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
export const Entry = ({ entry, onClose, onFilter }: EntryProps) => {
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
