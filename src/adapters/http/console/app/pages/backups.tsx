import { useEffect, useState } from 'preact/hooks'
import { call } from '../api.ts'
import { Confirm } from '../dialog.tsx'
import { useLive } from '../live.ts'
import { useAction } from '../loading.ts'
import { Pager, usePages } from '../pager.tsx'
import { PageHead } from '../shell.tsx'
import { Button, bytes, Empty, Failure, Loading, Time } from '../ui.tsx'

interface Backup {
  readonly id: number
  readonly state: 'running' | 'done' | 'failed'
  readonly name: string | null
  readonly size: number | null
  readonly sha256: string | null
  readonly encrypted: boolean
  readonly created_at: string
  readonly finished_at: string | null
  readonly verified_at: string | null
  readonly detail: string | null
}

const LOOKS: Readonly<Record<Backup['state'], string>> = { running: 'accent', done: 'done', failed: 'error' }

/** Long enough for a browser to begin a download. */
const LINK_LIFE_SECONDS = 300

const pathOf = ({ id }: Backup): string => `/admin/backups/${id}`

/** Lets the browser download the archive itself, which may be larger than the memory of a page. */
const download = async (backup: Backup): Promise<void> => {
  const json = { expires_in: LINK_LIFE_SECONDS }
  const { url } = await call<{ url: string }>('POST', `${pathOf(backup)}/links`, { json })
  const link = document.createElement('a')
  link.href = url
  link.download = backup.name ?? ''
  link.click()
}

const Badges = ({ state, verified_at, encrypted }: Backup) => (
  <>
    <span class={`badge ${LOOKS[state]}`}>{state}</span>
    {verified_at !== null && <span class="badge done">verified</span>}
    {encrypted && <span class="badge">encrypted</span>}
  </>
)

const Detail = ({ state, detail, verified_at }: Backup) =>
  detail === null ? null : (
    <p class={state === 'failed' ? 'fault' : undefined}>
      <bdi>{detail}</bdi>
      {verified_at !== null && (
        <span class="quiet">
          {' '}
          (<Time value={verified_at} />)
        </span>
      )}
    </p>
  )

interface EntryProps {
  readonly backup: Backup
  readonly onChange: () => void
  readonly onDelete: () => void
}

const Entry = ({ backup, onChange, onDelete }: EntryProps) => {
  const { id, name, size, sha256, state, created_at } = backup
  const { run, isRunning, error } = useAction(async (action: (backup: Backup) => Promise<unknown>) => {
    await action(backup)
    onChange()
  })
  return (
    <li class="card backup">
      <div class="backup-about">
        <h2>
          <Time value={created_at} />
          <Badges {...backup} />
        </h2>
        <Detail {...backup} />
        {name !== null && (
          <p class="quiet">
            {size !== null && `${bytes(size)} in `}
            <code>{name}</code>
          </p>
        )}
        {sha256 !== null && (
          <p class="hint">
            SHA-256 <code>{sha256}</code>
          </p>
        )}
        {error !== null && <p class="fault">{error.message}</p>}
      </div>
      <div class="actions">
        {state === 'done' && (
          <>
            <Button
              icon="download"
              isBusy={isRunning}
              aria-label={`Download backup ${id}`}
              onClick={() => void run(download)}
            >
              Download
            </Button>
            <Button
              icon="check"
              isBusy={isRunning}
              aria-label={`Verify backup ${id}`}
              onClick={() => void run((each) => call('POST', `${pathOf(each)}/verify`))}
            >
              Verify
            </Button>
          </>
        )}
        <Button kind="danger" aria-label={`Delete backup ${id}`} onClick={onDelete}>
          Delete
        </Button>
      </div>
    </li>
  )
}

/** How often a list with a running backup is read again, in addition to news of jobs. */
const POLL_MS = 2_000

/** Archives of the whole installation. */
export const BackupsPage = () => {
  const backups = usePages<Backup>('/admin/backups', {})
  const [deleting, setDeleting] = useState<Backup | null>(null)
  const { run, isRunning, error } = useAction(async () => {
    await call('POST', '/admin/backups')
    backups.reload()
  })
  useLive('jobs', backups.reload)
  const isWorking = backups.data?.items.some(({ state }) => state === 'running') ?? false
  const { reload } = backups
  useEffect(() => {
    if (!isWorking) return
    const timer = setInterval(() => document.hidden || reload(), POLL_MS)
    return () => clearInterval(timer)
  }, [isWorking, reload])
  return (
    <>
      <PageHead
        title="Backups"
        about="Each is one archive of the database and all files. Other requests go on meanwhile."
      >
        <Button kind="primary" icon="plus" isBusy={isRunning || isWorking} onClick={() => void run()}>
          {isWorking ? 'Backing up…' : 'Back up now'}
        </Button>
      </PageHead>
      <Failure error={error} />
      <Failure error={backups.error} onRetry={backups.reload} />
      {backups.data === null && backups.isLoading && <Loading />}
      {backups.data?.items.length === 0 && (
        <Empty icon="backup" title="No backups yet">
          <p>
            Make the first one now. <code>BACKUP_SCHEDULE</code> makes them regularly, and <code>skep restore</code>{' '}
            brings one back.
          </p>
        </Empty>
      )}
      {backups.data !== null && backups.data.items.length > 0 && (
        <ul class="backups" aria-label="Backups">
          {backups.data.items.map((backup) => (
            <Entry key={backup.id} backup={backup} onChange={reload} onDelete={() => setDeleting(backup)} />
          ))}
        </ul>
      )}
      <Pager pages={backups} />
      {deleting !== null && (
        <Confirm
          title="Delete this backup?"
          action="Delete backup"
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await call('DELETE', pathOf(deleting))
            reload()
          }}
        >
          <p>
            The archive of <Time value={deleting.created_at} /> is removed. This cannot be undone.
          </p>
        </Confirm>
      )}
    </>
  )
}
